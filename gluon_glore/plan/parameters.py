"""The parameters of a network by name, with their shapes, from its plan alone.

Names and shapes are those of the Gluon network and of its files. This file imports no MXNet.
"""

from __future__ import annotations

from typing import Dict, Tuple

from ..utils.errors import InputError
from .spec import INPUT_NORM, NetSpec
from .units import norm_of

NORM_LEAVES = ("gamma", "beta", "running_mean", "running_var")


def without_kind(name):
    """A name of MXNet's files without the `arg:` or `aux:` before it."""
    return name[4:] if name.startswith(("arg:", "aux:")) else name


def parameter_shapes(spec: NetSpec, classes=None) -> Dict[str, Tuple[int, ...]]:
    """`{full name: shape}` of all parameters, BatchNorm's statistics among them, in order.

    `classes` defaults to the spec's; with 0 there is no classifier. Raises InputError on a unit of
    a kind that is none of this package's.
    """
    classes = spec.classes if classes is None else classes
    stem, stem_norm, tail, classifier = spec.names
    shapes = {}
    if spec.stem.norm_input:
        shapes.update(_norm(INPUT_NORM, spec.in_channels))
    shapes.update(_conv(spec.stem_conv))
    shapes.update(_norm(stem_norm, spec.stem.channels))
    for unit in spec.plan():
        shapes.update(_of_unit(unit))
    shapes.update(_norm(tail, spec.feature_channels))
    for unit in spec.head_plan():
        shapes.update(_of_unit(unit))
    kernel = (1, 1) if spec.head else ()
    if classes:
        channels = spec.head.channels if spec.head else spec.feature_channels
        shapes.update(_dense(classifier, channels, classes, kernel))
    if spec.head and spec.head.auxiliary:
        channels = spec.stage_channels(spec.head.auxiliary)
        unit = spec.head.auxiliary_unit(channels, norm_of(spec))
        shapes.update(_norm("auxiliary", channels))
        shapes.update(_of_unit(unit))
        shapes.update(_dense("auxiliary_classifier", unit.out_channels, classes, kernel))
    return shapes


def _of_unit(unit):
    """`{full name: shape}` of a unit of the plan."""
    if unit.kind not in _UNITS:
        raise InputError(
            f"{unit.name}: what parameters a unit of kind {unit.kind!r} has is not known here, "
            f"only that of {', '.join(_UNITS)}"
        )
    own = _UNITS[unit.kind](unit)
    return own if unit.kind == "conv" else {f"{unit.name}_{name}": s for name, s in own.items()}


def _residual(unit):
    shapes = {}
    first = unit.convs[0]
    if unit.shared_norm:
        shapes.update(_norm(first.name, first.in_channels))
    for conv in unit.convs:
        alone = unit.shared_norm and conv is first
        shapes.update(_conv(conv) if alone else _pre_act(conv))
    attention = unit.squeeze_excite
    if attention:
        shapes.update(_dense("se-fc1", attention.channels, attention.hidden))
        shapes.update(_dense("se-fc2", attention.hidden, attention.channels))
    if unit.shortcut:
        shapes.update((_conv if unit.shared_norm else _pre_act)(unit.shortcut))
    return shapes


def _dual_path(unit):
    convs = (unit.projection, *unit.convs) if unit.projection else unit.convs
    return {name: shape for conv in convs for name, shape in _pre_act(conv).items()}


def _conv_unit(unit):
    return {**_conv(unit.conv), **_norm(unit.name, unit.out_channels)}


def _glore(unit):
    masks = (unit.projection, unit.reverse) if unit.reverse else (unit.projection,)
    graph = (conv for layer in unit.graph for conv in layer)
    convs = (unit.state, *masks, *graph, *unit.extensions)
    post = unit.arrangement == "post"
    of_conv = _conv if post else _pre_act
    shapes = {name: shape for conv in convs for name, shape in of_conv(conv).items()}
    return {**shapes, **_norm(unit.extensions[0].name, unit.in_channels)} if post else shapes


def _non_local(unit):
    convs = (unit.theta, unit.phi, unit.value, unit.extension)
    shapes = {name: shape for conv in convs for name, shape in _conv(conv).items()}
    return {**shapes, **_norm(unit.extension.name, unit.in_channels)}


_UNITS = {
    "residual": _residual,
    "dual_path": _dual_path,
    "conv": _conv_unit,
    "glore": _glore,
    "nonlocal": _non_local,
}


def _conv(conv):
    shapes = {
        f"{conv.name}__conv_weight": (
            conv.out_channels,
            conv.in_channels // conv.groups,
            *conv.kernel,
        )
    }
    if conv.bias:
        shapes[f"{conv.name}__conv_bias"] = (conv.out_channels,)
    return shapes


def _norm(name, channels):
    return {f"{name}__bn_{leaf}": (channels,) for leaf in NORM_LEAVES}


def _pre_act(conv):
    return {**_norm(conv.name, conv.in_channels), **_conv(conv)}


def _dense(name, channels, out_channels, kernel=()):
    return {
        f"{name}_weight": (out_channels, channels, *kernel),
        f"{name}_bias": (out_channels,),
    }
