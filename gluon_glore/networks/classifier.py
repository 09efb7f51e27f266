"""The classifier of a network, and another in its place: `net.output = nn.Dense(5)`."""

from mxnet.gluon import ParameterDict, nn

from ..layers.fcn_head import pixel_classifier
from ..utils.errors import InputError


def make_classifier(spec, classes):
    """The classifier of a `NetSpec`: a dense layer, or with a head a 1x1 convolution."""
    name = spec.names[-1]
    if spec.head:
        return pixel_classifier(name, spec.head.channels, classes)
    return nn.Dense(classes, in_units=spec.feature_channels, prefix=f"{name}_")


def refuse_other_layers(new, old):
    """Raise InputError where `new` can't be a classifier in the place of `old`.

    It is a dense layer, or for pixels a 1x1 convolution, of the features that the old one takes,
    with bias and without activation.
    """
    kind, channels = type(old).__name__, old.weight.shape[1]
    wanted = f"a network's output is its classifier, nn.{kind}"
    wanted += "(classes)" if kind == "Dense" else "(classes, 1)"
    if not isinstance(new, (nn.Dense, nn.Conv2D)) or not isinstance(new, type(old)):
        raise InputError(
            f"{wanted}, given {type(new).__name__}: what stands before it, as dropout, is added to "
            "net.features"
        )
    if new.bias is None or new.act is not None:
        what = "no bias" if new.bias is None else "an activation"
        raise InputError(f"{wanted}, with bias and without activation; given one with {what}")
    size = new.weight.shape
    if size[1] not in (0, -1, channels) or size[2:] != old.weight.shape[2:]:
        raise InputError(f"{wanted} of {channels} features; given one with weights of {size}")


def take_place(new, old):
    """Make the classifier `new` fit to stand where `old` stands, under its names.

    Its parameters are called as the old one's, so that every file, symbol and export calls them so.
    Their shape is known from now on, and with it their values where they were initialised.
    """
    classes, _, *kernel = new.weight.shape
    new.weight.shape = (classes, old.weight.shape[1], *kernel)
    for param in (new.weight, new.bias):
        param._finish_deferred_init()  # does nothing where it was not initialised
    _rename(new, old.prefix)


def _rename(layer, prefix):
    """Call a layer's parameters as if it had been made with another prefix."""
    if layer.prefix == prefix:
        return
    named = ParameterDict(prefix)
    for param in layer.params.values():
        param.name = prefix + param.name[len(layer.params.prefix) :]
        param._var = None  # the symbol's variable of the old name
        named._params[param.name] = param
    layer._prefix, layer._params = prefix, named
