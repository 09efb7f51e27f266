"""Names of parameters in PyTorch, and ours (MXNet's) for the same parameters.

Those of the 3-D residual networks with GloRe units are the names of the authors' PyTorch release,
linked from the paper (https://arxiv.org/abs/1811.12814). All others follow the same rule:

    conv4_B03_conv-m1__conv_weight        conv4.B03.conv_m1.conv.weight
    conv4_B03_conv-m1__bn_gamma           conv4.B03.conv_m1.bn.weight
    conv4_B03_extra_conv-state__conv_bias conv4.B03_extra.conv_state.bias
    conv4_B03_extra_conv-state__bn_gamma  conv4.B03_extra.conv_state_bn.weight

A stage is a module, a unit one in it. In a residual or dual-path unit a convolution and its
BatchNorm are `.conv` and `.bn` of one module. In an extra unit the convolution is a module itself,
as in the release, and its BatchNorm is called like it, with `_bn` behind. A dash is an underscore,
and `c1x1-w(s/2)` is `c1x1_w_s2`. BatchNorm's gamma and beta are `weight` and `bias`.

This file imports neither MXNet nor PyTorch.
"""

import re

from ..utils.errors import InputError

NORM_LEAVES = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "running_mean",
    "running_var": "running_var",
}
LEAVES = {"weight": "weight", "bias": "bias"}


def _pair(theirs, ours):
    """A convolution and its BatchNorm in one module: `{their layer: ours}`."""
    return {f"{theirs}.{layer}": f"{ours}__{layer}" for layer in ("conv", "bn")}


def _dashed(*names):
    """Layers of an extra unit, each a convolution and its BatchNorm beside it."""
    return {
        f"{name.replace('-', '_')}{end}": f"{name}__{layer}"
        for name in names
        for end, layer in (("", "conv"), ("_bn", "bn"))
    }


# Layers, theirs and ours. Ours that end in "__bn" are BatchNorms.
_NETWORK = {
    "input.bn": "input__bn",
    **_pair("conv1", "conv1"),
    "tail.bn": "tail__bn",
    "classifier": "classifier",
    "conv1_x_1.conv": "conv1_x_1__conv",  # of dual-path networks
    "conv1_x_1.bn": "conv1_x_1__relu-sp__bn",
    "conv5_x_x.bn": "conv5_x_x__relu-sp__bn",
    "fc6": "fc6",
    **_pair("head.conv1", "head_conv1"),
    **_pair("head.conv2", "head_conv2"),
    "auxiliary.bn": "auxiliary__bn",
    **_pair("auxiliary.conv1", "auxiliary_conv1"),
    "auxiliary.classifier": "auxiliary_classifier",
}
_RESIDUAL = {
    layer: name
    for conv in ("m1", "m2", "m3", "w1")
    for layer, name in _pair(f"conv_{conv}", f"conv-{conv}").items()
}
_RESIDUAL.update({"se_fc1": "se-fc1", "se_fc2": "se-fc2"})
_DUAL_PATH = {
    layer: name
    for conv in ("c1x1_a", "c3x3_b", "c1x1_c", "c1x1_w_s#")
    for layer, name in _pair(
        conv, "c1x1-w(s/#)" if conv.endswith("#") else conv.replace("_", "-")
    ).items()
}
_GRAPH = {  # "#" is the number of a graph layer behind the first
    f"gcn{after}.{theirs}{end}": f"{ours}{suffix}__{layer}"
    for after, suffix in (("", ""), ("_#", "-#"))
    for theirs, ours in (("conv1", "GCN-G"), ("conv2", "GCN-GHW"))
    for end, layer in (("", "conv"), ("_bn", "bn"))
}
_EXTRA = {
    **_dashed("conv-state", "conv-proj", "conv-reverse", "conv-tail-res", "conv-tail-den"),
    **_GRAPH,
    "conv_extend": "fc-2__conv",
    "blocker": "fc-2__bn",
    **_dashed("nl-theta", "nl-phi", "nl-g", "nl-out"),
}


def _parameters(layers):
    """{their parameter: ours} of {their layer: ours}."""
    return {
        f"{theirs}.{leaf}": f"{ours}_{our_leaf}"
        for theirs, ours in layers.items()
        for leaf, our_leaf in (NORM_LEAVES if ours.endswith("__bn") else LEAVES).items()
    }


# What stands before a parameter's own name, theirs and ours, and the layers that may stand there.
_PLACES = (
    (r"(conv\d+)\.(B\d+)\.", r"(conv\d+)_(B\d+)_", _RESIDUAL),
    (r"(conv\d+)\.(x__\d+)\.", r"(conv\d+)_(x__\d+)_", _DUAL_PATH),
    (
        r"(conv\d+)\.((?:B|x__)\d+_extra)\.",
        r"(conv\d+)_((?:B|x__)\d+_extra)_",
        _EXTRA,
    ),
    (r"(head)\.(extra\d+)\.", r"(head)_(extra\d+)_", _EXTRA),
    (r"", r"", _NETWORK),
)
_TO_OURS, _TO_THEIRS = [], []
for _theirs, _ours, _layers in _PLACES:
    _table = _parameters(_layers)
    _TO_OURS.append((re.compile(_theirs), _table))
    _TO_THEIRS.append((re.compile(_ours), {ours: theirs for theirs, ours in _table.items()}))
# A stride or a graph layer's number.
_NUMBER = re.compile(r"(?<=c1x1_w_s)\d+(?=\.)|(?<=c1x1-w\(s/)\d+(?=\))|(?<=gcn_)\d+(?=\.)"
                     r"|(?<=GCN-G-)\d+(?=__)|(?<=GCN-GHW-)\d+(?=__)")  # fmt: skip


def counts_batches(theirs) -> bool:
    """Whether a name is of a BatchNorm's `num_batches_tracked`, which MXNet has not."""
    return theirs.endswith(".num_batches_tracked")


def our_name(theirs) -> str:
    """Our name for "conv2.B01.conv_m1.bn.weight" of theirs: "conv2_B01_conv-m1__bn_gamma".

    Raises InputError where no layer of ours has it, as `num_batches_tracked`.
    """
    return _translate(theirs, _TO_OURS, "_")


def their_name(ours) -> str:
    """The inverse of `our_name`. Raises InputError where no layer of theirs has it."""
    return _translate(ours, _TO_THEIRS, ".")


def _translate(name, tables, joint):
    for pattern, parameters in tables:
        match = pattern.match(name)
        if not match or "#" in name:
            continue
        number = _NUMBER.search(name, match.end())
        own = name[match.end() :]
        if number:
            own = f"{name[match.end() : number.start()]}#{name[number.end() :]}"
        if own in parameters:
            found = parameters[own].replace("#", number.group() if number else "#")
            return "".join(f"{part}{joint}" for part in match.groups()) + found
    raise InputError(
        "a parameter's name must be of a stem, tail, classifier, head, residual, dual-path, GloRe "
        f"or non-local unit, given {name!r}"
    )


def axes_behind(theirs, ndim):
    """The axes of size 1 behind the channels of a weight of an extra unit, None for other weights.

    Its convolutions have a kernel of size 1 on each of the network's `ndim` axes; those over nodes
    and states, which see no space, have one axis.
    """
    if not re.search(r"(_extra|\.extra\d+)\.", theirs):
        return None
    return 1 if re.search(r"\.gcn(_\d+)?\.conv\d\.weight$", theirs) else ndim
