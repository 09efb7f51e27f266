"""The `NetSpec` of a graph: of the units that `graph_units` finds in it.

What is only guessed here, `mxnet_release.match` holds to the graph layer by layer.
"""

import dataclasses
import functools
from collections import Counter

from ..networks.graph import last_layer
from ..networks.paper import get_spec, list_models
from ..plan.spec import MID_DIVISOR, NetSpec
from ..plan.stages import Placement, Stage
from ..utils.errors import InputError
from .channels import source_of
from .graph_units import FOREIGN, Body, Extra, Graph, number_in, the_one

DEFAULT_EPS, DEFAULT_MOMENTUM = 1e-3, 0.9  # MXNet's, where a symbol names none
LARGEST_INPUT = 2048  # pixels on a side


def recognize(nodes) -> NetSpec:
    """The spec of a released graph, of another pre-activation ResNet, or of an export of ours.

    BatchNorm's eps is the smallest in the graph, its momentum the most frequent. Raises InputError
    where the graph does not have the units of the networks here.
    """
    graph = Graph(nodes)
    classifier = last_layer(nodes)
    if classifier is None:
        raise InputError("no classifier in it")
    pool, dropout, value = graph.tail(nodes.index(classifier))
    units = []  # from the last one to the first
    two_paths = False
    while source_of(value) is None:
        unit, value, dual = graph.last_unit(value)
        units.insert(0, unit)
        two_paths |= dual
    if not any(isinstance(unit, Body) for unit in units):
        raise InputError(FOREIGN)
    stem = graph.stem(source_of(value))
    spec = _spec(nodes, units, stem, "dpn" if two_paths else "resnet")
    norms = [node for node in nodes if node.op == "BatchNorm"]
    spec = dataclasses.replace(
        spec,
        classes=classifier.width,
        dropout=dropout,
        eps=min(map(eps_of, norms)),
        momentum=Counter(map(momentum_of, norms)).most_common(1)[0][0],
    )
    size = _input_size(nodes[pool], spec.total_stride)
    return dataclasses.replace(spec, input_size=size) if size else spec


def eps_of(node):
    """A BatchNorm's eps. Raises InputError where it is no sensible number."""
    return number_in(node, "eps", DEFAULT_EPS, lambda x: 0 < x <= 1, "above 0 and at most 1")


def momentum_of(node):
    """A BatchNorm's momentum. Raises InputError where it is no sensible number."""
    return number_in(node, "momentum", DEFAULT_MOMENTUM, lambda x: 0 <= x < 1, "from 0 to below 1")


def _spec(nodes, units, stem, family) -> NetSpec:
    """The spec of the stem and the units, in order."""
    bodies = [unit for unit in units if isinstance(unit, Body)]
    lengths = {len(body.convs) for body in bodies}
    if lengths not in ({2}, {3}) or family == "dpn" and lengths != {3}:
        raise InputError(
            f"units of {sorted(lengths)} convolutions: all have 2 or all have 3, and those of "
            "dual-path networks 3"
        )
    reductions = {body.reduction for body in bodies}
    shared = {body.shared for body in bodies if body.shortcut is not None}
    if len(reductions) > 1 or len(shared) > 1:
        raise InputError(
            "all units have channel attention of one reduction or none, and shortcuts with or "
            "without a BatchNorm of their own"
        )
    stages, extras = _stages(nodes, units, family)
    spec = NetSpec(
        stages=stages,
        stem=stem,
        family=family,
        bottleneck=lengths == {3},
        squeeze_excite=reductions.pop(),
        shared_norm=True in shared,
        extras=extras,
    )
    return _as_registered(spec)


def _stages(nodes, units, family):
    """(stages, placements of the extra units) of the units, in order."""
    stages, extras, key = [], [], None
    for unit in units:
        if isinstance(unit, Extra):
            if not stages:
                raise InputError(f"an extra unit before the first residual one: {FOREIGN}")
            extras.append((len(stages) + 1, len(stages[-1]), unit))
            continue
        width, mid, groups = _widths(nodes, unit)
        if unit.shortcut is not None or (mid, groups) != key:
            stages.append([])
        stages[-1].append(unit)
        key = mid, groups
    stages = tuple(_stage(nodes, number, bodies, family) for number, bodies in enumerate(stages, 2))
    placed = (
        Placement(unit.kind, number, after, _options(unit, stages[number - 2].out_channels))
        for number, after, unit in extras
    )
    return stages, tuple(placed)


def _widths(nodes, body):
    """(output, inner width, groups) of a residual unit."""
    first, second, last = (nodes[body.convs[i]] for i in (0, 1, -1))
    return last.width, first.width, second.number("num_group", 1)


def _stage(nodes, number, bodies, family) -> Stage:
    """The `Stage` Res`number` of residual units."""
    first, growth = bodies[0], 0
    out, mid, groups = _widths(nodes, first)
    if family == "dpn":  # the last convolution has R + G filters, the projection R + 2 G
        if first.shortcut is None:
            raise InputError(f"unit 1 of Res{number} has no projection")
        growth = nodes[first.shortcut].width - out
        out -= growth
    three = len(first.convs) == 3
    spatial = [nodes[body.convs[1 if three else 0]] for body in bodies]
    for body in bodies:
        for conv in body.convs:
            node = nodes[conv]
            if node not in spatial[:1] and max(node.numbers("stride", (1,)), default=1) > 1:
                raise InputError(
                    f"{node.name} has a stride; in the networks here the first unit of a "
                    "stage has it, on its 3x3 convolution, or on the first of two"
                )
    dilations = tuple(the_one(node.numbers("dilate", (1,))) for node in spatial)
    return Stage(
        len(bodies),
        out,
        the_one(spatial[0].numbers("stride", (1,))),
        mid if three and (mid != out // 4 or family == "dpn") else None,
        groups=groups,
        growth=growth,
        dilation=dilations[0] if len(set(dilations)) == 1 else dilations,
    )


def _options(unit, width):
    """The options of a `Placement` that differ from those of its row."""
    defaults = {"mid_channels": width // MID_DIVISOR[unit.kind], "arrangement": "pre"}
    defaults.update(graph_layers=1, shared_projection=True, pool_stride=1, subsample=1)
    options = unit.options.items()
    return tuple(sorted((key, v) for key, v in options if v != defaults.get(key, False)))


def _input_size(pool, stride):
    """The input size that the last pool was made for; None where it takes any."""
    if pool.flag("global_pool", False):
        return None
    size = tuple(the_one(pool.numbers("kernel", ())) * s for s in stride)
    if max(size) > LARGEST_INPUT:
        raise InputError(f"{pool.name}: made for {size} pixels, at most {LARGEST_INPUT} a side")
    return size


def _as_registered(spec):
    """The spec with the stages of a registered network of the same layers, where there is one.

    No graph tells where a stage begins that neither strides nor widens.
    """
    layers = _layers(spec)
    for name in list_models():
        row = get_spec(name)
        if _row_layers(row) == layers:
            return dataclasses.replace(spec, stages=row.stages, stem=row.stem, extras=row.extras)
    return spec


@functools.cache  # of the registered networks; to plan all takes 0.2 s
def _row_layers(row):
    """`_layers` of a registered network."""
    return _layers(row)


def _layers(spec):
    """All layers of a spec's stem and units, whatever they are called."""
    units = (dataclasses.replace(u, name="", eps=0.0, momentum=0.0) for u in spec.plan())
    stem = dataclasses.replace(spec, in_channels=1).stem_conv, spec.stem_pool, spec.stem.norm_input
    return stem, spec.ndim, spec.head, tuple(units)
