"""`get_model`: a network by name, with or without weights."""

import dataclasses

from .errors import InputError
from .network import Network
from .transfer import fill
from .weights import load_arrays, set_weights
from .weights.store import find_weights
from .zoo import get_spec, list_models


def get_model(name, classes=None, pretrained=False, ctx=None, root=None) -> Network:
    """A registered network: pixels `(B, C, *space)` -> logits `(B, classes)`.

    `classes` defaults to those of the weights, or without weights to the network's own: 1000 of
    ImageNet, 400 of Kinetics.
    `pretrained`: False gives an uninitialised network. True brings the weights that the catalogue
    has (`python -m gluon_glore list`), once; others are named by the first 8 digits of their
    sha256, by an address, or by a path to a parameter file, zoo entry, released archive or PyTorch
    file. A manifest beside a parameter file is followed: placement and BatchNorm eps of its
    network, classes, checksum. Where `classes` is given and the weights have others, the classifier
    is new; weights of a 2-D network are inflated into a 3-D one, whose classifier and extra units
    then are new.
    `ctx` is where the weights go (default: the current context), `root` the folder of the weights
    ($GLORE_HOME, else ~/.mxnet/models).

    Raises InputError where the name is unknown (naming the closest), where there are no weights,
    they are damaged, or they are another network's.
    """
    if pretrained is False:
        return Network(get_spec(name), classes=classes)
    return fill_model(name, find_weights(name, pretrained, root), classes, ctx)


def fill_model(name, found, classes=None, ctx=None) -> Network:
    """The network `name` with the weights that were found, see `get_model`."""
    spec = found_spec(name, found)
    arrays = load_arrays(found.params)
    if spec.ndim == 3 and all(array.ndim < 5 for array in arrays.values()):
        net = Network(spec, classes)
        net.initialize(ctx=ctx)
        fill(net, found.params, "the file", arrays, allow_missing=True, skip_classifier=True)
        return net
    classifier = arrays.get(f"{spec.names[-1]}_weight")
    theirs = spec.classes if classifier is None else classifier.shape[0]
    net = Network(spec, theirs if classes is None else classes)
    fresh = net.output.collect_params() if net.classes != theirs else {}
    if fresh:
        net.output.initialize(ctx=ctx)
    params = {n: p for n, p in net.collect_params().items() if n not in fresh}
    arrays = {n: a for n, a in arrays.items() if n not in fresh}
    set_weights(params, arrays, found.params, ctx=ctx)
    return net


def found_spec(name, found):
    """The spec of the network `name` as its weights have it.

    Raises InputError where the weights are another network's, 2-D ones for a 3-D network excepted.
    """
    manifest = found.manifest
    if manifest is None:
        return get_spec(name)
    if manifest.model == name:
        spec = manifest.spec or get_spec(name)
        if name in list_models() and _body(spec) != _body(get_spec(name)):
            raise InputError(
                f"{found.params}: weights of another network that is called {name} too"
            )
        return spec
    spec = get_spec(name)
    if spec.ndim == 3 and (manifest.spec or get_spec(manifest.model)).ndim == 2:
        return spec
    raise InputError(f"{found.params}: weights of {manifest.model}, not of {name}")


def _body(spec):
    """What weights that are called as a registered network must share with it."""
    head = spec.head and dataclasses.replace(spec.head, units=0, auxiliary=0)
    spec = dataclasses.replace(spec, extras=(), eps=0.0, head=head)
    return (*spec.plan(), *spec.head_plan())
