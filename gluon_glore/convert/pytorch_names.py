"""Parameter names of the authors' released PyTorch networks, and ours for the same parameters.

The names are those of the 3-D residual networks with GloRe units; their release is linked from the
paper (https://arxiv.org/abs/1811.12814). Shapes differ by axes of size 1 behind the channels, in
the units alone. This file imports neither MXNet nor PyTorch.
"""

import re

from ..utils.errors import InputError

# Layers, theirs and ours. Where theirs is "bn" or "blocker" it is a BatchNorm.
NETWORK_LAYERS = {
    "conv1.conv": "conv1__conv",
    "conv1.bn": "conv1__bn",
    "tail.bn": "tail__bn",
    "classifier": "classifier",
}
RESIDUAL_LAYERS = {
    f"conv_{conv}.{layer}": f"conv-{conv}__{layer}"
    for conv in ("m1", "m2", "m3", "w1")
    for layer in ("bn", "conv")
}
GLORE_LAYERS = {
    "conv_state": "conv-state__conv",
    "conv_proj": "conv-proj__conv",
    "gcn.conv1": "GCN-G__conv",
    "gcn.conv2": "GCN-GHW__conv",
    "conv_extend": "fc-2__conv",
    "blocker": "fc-2__bn",
}
NORM_LEAVES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "running_mean",
    "running_var": "running_var",
}
LEAVES = {"weight": "weight", "bias": "bias"}


def _parameters(layers):
    """{their parameter: ours} of {their layer: ours}."""
    return {
        f"{theirs}.{leaf}": f"{ours}_{our_leaf}"
        for theirs, ours in layers.items()
        for leaf, our_leaf in (NORM_LEAVES if ours.endswith("__bn") else LEAVES).items()
    }


# By what stands before them in a name: nothing, "conv2.B01." or "conv3.B01_extra.".
_TO_OURS = {
    None: _parameters(NETWORK_LAYERS),
    "": _parameters(RESIDUAL_LAYERS),
    "_extra": _parameters(GLORE_LAYERS),
}
_TO_THEIRS = {kind: {b: a for a, b in table.items()} for kind, table in _TO_OURS.items()}
_THEIRS = re.compile(r"(?:(conv\d)\.(B\d+)(_extra|)\.)?(.*)", re.DOTALL)
_OURS = re.compile(r"(?:(conv\d)_(B\d+)(_extra|)_)?(.*)", re.DOTALL)


def our_name(theirs) -> str:
    """Our name for "conv2.B01.conv_m1.bn.weight" of theirs: "conv2_B01_conv-m1__bn_gamma".

    Raises InputError where no layer of ours has it, as `num_batches_tracked`.
    """
    return _translate(theirs, _THEIRS, _TO_OURS, "_")


def their_name(ours) -> str:
    """The inverse of `our_name`. Raises InputError where no layer of theirs has it."""
    return _translate(ours, _OURS, _TO_THEIRS, ".")


def _translate(name, pattern, tables, joint):
    stage, block, kind, parameter = pattern.fullmatch(name).groups()
    if parameter not in tables[kind]:
        raise InputError(
            "a parameter's name must be of a stem, tail, classifier, residual or GloRe unit of the "
            f"authors' 3-D networks, given {name!r}"
        )
    place = "" if kind is None else f"{stage}{joint}{block}{kind}{joint}"
    return place + tables[kind][parameter]
