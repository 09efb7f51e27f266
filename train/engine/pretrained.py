"""Weights of another network to start from: a backbone's, or all but new layers'."""

from pathlib import Path

from gluon_glore.model_zoo.load import load_network
from gluon_glore.model_zoo.transfer import transfer_weights
from gluon_glore.utils.errors import InputError


def load_pretrained(net, source, is_new, skip_classifier):
    """Fill an initialised network with the weights of `source`; 2-D ones are inflated into 3-D.

    `source` is a network with weights in the model zoo, a parameter file or a run. Parameters that
    it lacks keep their values where `is_new(name)`; so does the classifier with `skip_classifier`.
    Raises InputError where others are missing, or one does not fit.
    """
    weights = load_network(source)[0] if Path(source).is_dir() else source
    kept = transfer_weights(net, weights, allow_missing=True, skip_classifier=skip_classifier)
    missing = [name for name in kept if not is_new(name)]
    if missing:
        raise InputError(
            f"{source}: no backbone of {net.spec.name} in it, it lacks {missing[0]} and "
            f"{len(missing) - 1} more"
        )
