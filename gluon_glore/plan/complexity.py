"""Parameters and multiply-adds of the network of a spec, counted in plain Python.

A multiply-add is one multiplication and one addition in a convolution, a dense layer or a matrix
product, as the paper's GFLOPs count them (Table 2); normalisation, activation and pooling are not
counted. `networks/complexity.py` counts the same on a symbol, of other people's networks too.
"""

import dataclasses
import math
from dataclasses import dataclass
from typing import NamedTuple

from ..utils.errors import InputError
from .extra_units import EXTRA_UNITS
from .spec import INPUT_NORM
from .unit_names import UnitNames


@dataclass(frozen=True)
class OperatorCount:
    """An operator of a network, the number of `parameters` it reads, its `macs` at batch 1."""

    name: str
    op: str
    parameters: int
    macs: int


class StageCount(NamedTuple):
    """A stage with all its units, and the share that its extra units (GloRe, non-local) have."""

    stage: str
    parameters: int
    macs: int
    extra_parameters: int = 0
    extra_macs: int = 0


def count_spec(spec, classes=None, input_size=None):
    """A list of `OperatorCount`: what the network of a `NetSpec` computes, first to last.

    `classes` defaults to the spec's; with 0 there is no classifier. `input_size` in pixels defaults
    to the spec's; at another number of frames it is that of the spec with this size. A parameter
    counts where it is read; BatchNorm's running statistics and the auxiliary head, which only
    training reads, are not counted. Raises InputError on a size that does not fit, and on a unit
    that `UNITS` does not count.
    """
    classes = spec.classes if classes is None else classes
    size = tuple(input_size or spec.input_size)
    if spec.clip_frames not in (0, size[0]):
        spec = dataclasses.replace(spec, input_size=size)
    spec.check_input(size)
    counter = Counter(size + (1,) if spec.ndim == 1 else size)
    counter.stem(spec)
    for unit in spec.plan():
        _count(counter, unit)
    counter.norm(spec.names[2], spec.feature_channels)
    for unit in spec.head_plan():
        _count(counter, unit)
    if classes:
        if spec.head:
            counter.dense(spec.names[3], spec.head.channels, classes, counter.locations)
        else:
            counter.dense(spec.names[3], spec.feature_channels, classes)
    return counter.found


class Counter:
    """The operators `found` so far, and the `space` that the last one gives, an entry an axis."""

    def __init__(self, space):
        self.space, self.found = space, []

    @property
    def locations(self):
        """Locations of the size, of all frames."""
        return math.prod(self.space)

    def add(self, name, op, parameters, macs=0):
        """An operator, of no multiply-adds by default."""
        self.found.append(OperatorCount(name, op, parameters, macs))

    def norm(self, name, channels):
        """A BatchNorm."""
        self.add(f"{name}__bn", "BatchNorm", 2 * channels)

    def dense(self, name, channels, out, locations=None):
        """A dense layer with biases, or of so many locations the same as a convolution."""
        op = "FullyConnected" if locations is None else "Convolution"
        self.add(name, op, (channels + 1) * out, channels * out * (locations or 1))

    def conv(self, name, conv, move=True):
        """A convolution; what comes behind it has its size, unless `move` is False."""
        kernel = math.prod(conv.kernel)
        weights = conv.out_channels * (conv.in_channels // conv.groups) * kernel
        space = _strided(self.space, conv.kernel, conv.stride, conv.pad, conv.dilation)
        seen = math.prod(space)
        if conv.frames and conv.kernel[0] > 1 and conv.in_channels > conv.out_channels:
            # With time in the batch axis the kernel's frames are then multiplied with every frame,
            # and what the stride leaves out is dropped: `layers/frames.py`.
            seen = self.space[0] * math.prod(space[1:])
        bias = conv.out_channels if conv.bias else 0
        self.add(f"{name}__conv", "Convolution", weights + bias, weights * seen)
        self.space = space if move else self.space

    def flat(self, name, conv, locations):
        """A 1x1 convolution of so many locations."""
        weights = conv.in_channels * conv.out_channels
        bias = conv.out_channels if conv.bias else 0
        self.add(f"{name}__conv", "Convolution", weights + bias, weights * locations)

    def product(self, name, macs):
        """A matrix product of two features."""
        self.add(name, "batch_dot", 0, macs)

    def stem(self, spec):
        """All before the first unit."""
        conv, norm, _, _ = spec.names
        if spec.stem.norm_input:
            self.norm(INPUT_NORM, spec.in_channels)
        self.conv(conv, spec.stem_conv)
        self.norm(norm, spec.stem.channels)
        pool = spec.stem_pool
        if pool:
            self.space = _strided(self.space, pool.kernel, pool.stride, pool.pad)

    def pre_activation(self, unit, convs):
        """Convolutions one behind the other, a BatchNorm before each."""
        for conv in convs:
            name = f"{unit.name}_{conv.name}"
            self.norm(name, conv.in_channels)
            self.conv(name, conv)


def _count(counter, unit):
    if unit.kind not in UNITS:
        raise InputError(
            f"{unit.name}: nothing says how units of kind {unit.kind!r} are counted: "
            "gluon_glore.plan.complexity.UNITS has no function for them"
        )
    UNITS[unit.kind](counter, unit)


def _strided(space, kernel, stride, pad, dilation=None):
    """The size behind a convolution or pool."""
    dilation = dilation or (1,) * len(kernel)
    axes = zip(space, kernel, stride, pad, dilation)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in axes)


def _pooled(space, stride):
    """Locations behind a pool of the units, whose last window may reach over the border."""
    axes = (1,) * (len(space) - len(stride)) + stride
    return math.prod(math.ceil(n / s) for n, s in zip(space, axes))


def _residual(counter, unit):
    shortcut = unit.shortcut
    if shortcut:
        name = f"{unit.name}_{shortcut.name}"
        if not unit.shared_norm:
            counter.norm(name, shortcut.in_channels)
        counter.conv(name, shortcut, move=False)
    counter.pre_activation(unit, unit.convs)
    attention = unit.squeeze_excite
    if attention:
        for number, widths in enumerate(
            ((attention.channels, attention.hidden), (attention.hidden, attention.channels)), 1
        ):
            counter.dense(f"{unit.name}_se-fc{number}", *widths)


def _dual_path(counter, unit):
    if unit.projection:
        name = f"{unit.name}_{unit.projection.name}"
        counter.norm(name, unit.projection.in_channels)
        counter.conv(name, unit.projection, move=False)
    counter.pre_activation(unit, unit.convs)


def _conv(counter, unit):
    counter.conv(unit.name, unit.conv)
    counter.norm(unit.name, unit.out_channels)


def _glore(counter, unit):
    locations = pooled = counter.locations
    if unit.pool_stride > 1:
        space = counter.space[: unit.ndim]
        pooled = _pooled(space, (unit.pool_stride,) * unit.ndim)
    nodes, states, pre = unit.nodes, unit.states, unit.arrangement == "pre"

    def conv(row, locations):
        name = f"{unit.name}_{row.name}"
        if pre:
            counter.norm(name, row.in_channels)
        counter.flat(name, row, locations)

    conv(unit.projection, locations)
    conv(unit.state, pooled)
    counter.product(f"{unit.name}_to-nodes", states * nodes * pooled)
    for adjacency, update in unit.graph:
        conv(adjacency, states)
        conv(update, nodes)
    if unit.reverse:
        conv(unit.reverse, locations)
    width = unit.in_channels if unit.extend_first else states
    counter.product(f"{unit.name}_to-locations", width * nodes * locations)
    for row in unit.extensions:
        conv(row, nodes if unit.extend_first else locations)
    if not pre:
        counter.norm(f"{unit.name}_{unit.extensions[0].name}", unit.in_channels)


def _non_local(counter, unit):
    locations = seen = counter.locations
    if unit.subsample > 1:
        seen = _pooled(counter.space[: unit.ndim], unit.pool)
    rows = ((unit.theta, locations), (unit.phi, seen), (unit.value, seen))
    for row, of in (*rows, (unit.extension, locations)):
        counter.flat(f"{unit.name}_{row.name}", row, of)
    for name in ("similarity", "average"):
        counter.product(f"{unit.name}_{name}", unit.mid_channels * locations * seen)
    counter.norm(f"{unit.name}_{unit.extension.name}", unit.in_channels)


# How a unit is counted, by its kind: a function of a `Counter` and the unit's row.
UNITS = {
    "residual": _residual,
    "dual_path": _dual_path,
    "conv": _conv,
    "glore": _glore,
    "nonlocal": _non_local,
}


def totals(counts):
    """(parameters, multiply-adds) of a list of `OperatorCount` together."""
    return sum(n.parameters for n in counts), sum(n.macs for n in counts)


def by_unit(spec, counts):
    """`{unit name: (parameters, macs)}` in the plan's order, "stem" first and "head" last.

    `counts` are those of the network of `spec`. Raises InputError on an operator of another.
    """
    names = UnitNames(spec)
    groups = {name: [] for name in names}
    for row in counts:
        owner = names.of(row.name)
        if owner is None:
            raise InputError(f"operator {row.name} is of no unit of {spec.name}")
        groups[owner].append(row)
    return {name: totals(group) for name, group in groups.items()}


def by_stage(spec, counts):
    """A list of `StageCount` in order: "stem", "Res2" and on, "head".

    `counts` are those of the network of `spec`. Extra units are counted in their stage, and once
    more as its extra share.
    """
    costs = by_unit(spec, counts)
    stages = {}
    for number, unit in spec.plan_by_stage():
        stages.setdefault(f"Res{number}", []).append(unit)
    rows = [StageCount("stem", *costs["stem"])]
    for stage, units in stages.items():
        extras = [unit for unit in units if unit.kind in EXTRA_UNITS]
        rows.append(StageCount(stage, *_sum(costs, units), *_sum(costs, extras)))
    extras = [unit for unit in spec.head_plan() if unit.kind in EXTRA_UNITS]
    head = (a + b for a, b in zip(costs["head"], _sum(costs, extras)))
    return [*rows, StageCount("head", *head, *_sum(costs, extras))]


def _sum(costs, units):
    """(parameters, macs) of some units together, (0, 0) of none."""
    return tuple(sum(costs[unit.name][i] for unit in units) for i in (0, 1))
