"""From a network trained in PyTorch to an entry of a zoo, without MXNet."""

from dataclasses import replace

from ..pytorch.arrays import to_mxnet
from ..utils.errors import InputError
from ..weights.card import Card
from ..weights.state_file import manifest_of
from .publish import add_entry, check_entry_name

SOURCE = "trained in PyTorch"


def publish(net, zoo, name=None, class_names=None, data=None, card=None, half=False, clip=None):
    """Publish a `gluon_glore.pytorch.Network` in the folder `zoo`; returns the entry's folder.

    The entry is that of `gluon_glore.model_zoo.publish`, which Gluon reads too. `net.preprocess`
    says how pictures become its input, `class_names` what its classes are (default: numbers),
    `name` what the entry is called (default: the network's), `card` whose it is, and `clip` which
    frames of a video a network of videos sees (default: the paper's, as the card then says). Where
    labelled `data` are given, its accuracy on them is measured. Raises InputError where the network
    does not say its pixels or takes no such clips, the names are not as many as its classes, or as
    `add_entry` does.
    """
    model = net.spec.name
    if net.preprocess is None:
        raise InputError(f"{model}: nothing says how its pixels are prepared: set net.preprocess")
    if not net.classes:
        raise InputError(f"{model}: it has no classifier")
    name = check_entry_name(name or model, model)
    manifest = manifest_of(net, class_names, name)
    entry = replace(manifest, spec=net.spec, card=card or Card(SOURCE), clip=clip)
    return add_entry(zoo, entry, to_mxnet(net.state_dict()), data, half=half)
