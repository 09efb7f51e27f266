"""Networks as data: every width, stride, kernel and unit position, computed once in plain Python.

`NetSpec.plan()` yields the units of a network in order. `gluon_glore` spells the plan as
HybridBlocks, `symbols` spells it with `mx.sym`; neither computes a width. No MXNet in this file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import ClassVar, Iterator, Tuple, Union

from .errors import InputError

ARRANGEMENTS = ("pre", "post")


@dataclass(frozen=True)
class Conv:
    """One convolution: `(B, in_channels, *space) -> (B, out_channels, *space / stride)`.

    `name` is relative to its unit. `kernel`, `stride` and `pad` have one entry a spatial
    dimension. Raises ValueError where the groups do not divide the channels.
    """

    name: str
    in_channels: int
    out_channels: int
    kernel: Tuple[int, ...]
    stride: Tuple[int, ...]
    pad: Tuple[int, ...]
    groups: int = 1
    bias: bool = False

    def __post_init__(self):
        if min(self.in_channels, self.out_channels, self.groups) < 1:
            raise InputError(
                f"{self.name}: channels and groups must be at least 1, given "
                f"{self.in_channels} -> {self.out_channels} in {self.groups} groups"
            )
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise InputError(
                f"{self.name}: {self.groups} groups do not divide "
                f"{self.in_channels} -> {self.out_channels} channels"
            )


def per_axis(value, ndim, flat):
    """A kernel, stride or pad for `ndim` dimensions; one dimension is two, the second `flat`."""
    return (value, flat) if ndim == 1 else (value,) * ndim


def make_conv(name, in_channels, out_channels, kernel=1, stride=1, ndim=2, **options) -> Conv:
    """A `Conv` of a cubic kernel, padded so that stride 1 keeps the size.

    One-dimensional networks run on `(B, C, L, 1)`: MXNet's CPU build does not train on three axes.
    """
    return Conv(
        name,
        in_channels,
        out_channels,
        kernel=per_axis(kernel, ndim, 1),
        stride=per_axis(stride, ndim, 1),
        pad=per_axis(kernel // 2, ndim, 0),
        **options,
    )


@dataclass(frozen=True)
class ResidualUnit:
    """Pre-activation residual unit: x + convs(x), each convolution behind BatchNorm and ReLU.

    `shortcut` is the projection of x where the size or width changes (He et al. 2016, v2).
    """

    kind: ClassVar[str] = "residual"
    name: str
    convs: Tuple[Conv, ...]
    shortcut: Union[Conv, None] = None

    @property
    def in_channels(self) -> int:
        return self.convs[0].in_channels

    @property
    def out_channels(self) -> int:
        return self.convs[-1].out_channels


@dataclass(frozen=True)
class GloReUnit:
    """Global reasoning unit (paper, section 3), widths and options; `functional.py` has its maths.

    N = `mid_channels` nodes with S = 2 N states each. `arrangement` "pre": BatchNorm and ReLU
    before every convolution, as in the released ImageNet networks; "post": biases, and one
    BatchNorm with zero-initialised gamma behind the last convolution, as in the released PyTorch
    unit. `normalize` divides the node features by the number of locations. `graph_layers` is g of
    the paper's Table 1. `shared_projection`: the way back reuses the way in, else it learns its
    own. `pool_stride` > 1 averages the input over that many locations a dimension on the way in.
    Raises ValueError on an impossible value.
    """

    kind: ClassVar[str] = "glore"
    name: str
    in_channels: int
    mid_channels: int
    ndim: int = 2
    arrangement: str = "pre"
    normalize: bool = False
    graph_layers: int = 1
    shared_projection: bool = True
    pool_stride: int = 1

    def __post_init__(self):
        for field, least in (
            ("in_channels", 1),
            ("mid_channels", 1),
            ("graph_layers", 1),
            ("pool_stride", 1),
        ):
            if getattr(self, field) < least:
                raise InputError(
                    f"{self.name}: {field} must be at least {least}, given {getattr(self, field)}"
                )
        if self.ndim not in (1, 2, 3):
            raise InputError(f"{self.name}: ndim must be 1, 2 or 3, given {self.ndim}")
        if self.arrangement not in ARRANGEMENTS:
            raise InputError(
                f"{self.name}: arrangement must be one of {ARRANGEMENTS}, "
                f"given {self.arrangement!r}"
            )

    @property
    def out_channels(self) -> int:
        return self.in_channels

    @property
    def nodes(self) -> int:
        return self.mid_channels

    @property
    def states(self) -> int:
        return 2 * self.mid_channels

    def _conv1x1(self, name, in_channels, out_channels, bias) -> Conv:
        # All five act on flattened locations, so they are 2-D 1x1 convolutions in every dimension.
        return make_conv(name, in_channels, out_channels, bias=bias)

    @property
    def _bias(self) -> bool:
        return self.arrangement == "post"

    @property
    def state(self) -> Conv:
        """phi: X to state features, (B, C, L, 1) -> (B, S, L, 1)."""
        return self._conv1x1("conv-state", self.in_channels, self.states, self._bias)

    @property
    def projection(self) -> Conv:
        """theta: X to the projection mask, (B, C, L, 1) -> (B, N, L, 1)."""
        return self._conv1x1("conv-proj", self.in_channels, self.nodes, self._bias)

    @property
    def reverse(self) -> Union[Conv, None]:
        """The mask of the way back where it is not shared, (B, C, L, 1) -> (B, N, L, 1)."""
        if self.shared_projection:
            return None
        return self._conv1x1("conv-reverse", self.in_channels, self.nodes, self._bias)

    @property
    def graph(self) -> Tuple[Tuple[Conv, Conv], ...]:
        """Each layer's adjacency (over nodes) and state update (over states)."""
        suffixes = [""] + [f"-{g}" for g in range(2, self.graph_layers + 1)]
        return tuple(
            (
                self._conv1x1(f"GCN-G{suffix}", self.nodes, self.nodes, self._bias),
                self._conv1x1(f"GCN-GHW{suffix}", self.states, self.states, False),
            )
            for suffix in suffixes
        )

    @property
    def extension(self) -> Conv:
        """States back to the input's width, (B, S, L, 1) -> (B, C, L, 1)."""
        return self._conv1x1("fc-2", self.states, self.in_channels, False)


PlanUnit = Union[ResidualUnit, GloReUnit]
EXTRA_UNITS = {cls.kind: cls for cls in (GloReUnit,)}


@dataclass(frozen=True)
class Stem:
    """First convolution and, where `pool`, a max pool of kernel 3 and stride 2."""

    channels: int = 64
    kernel: int = 7
    stride: int = 2
    pool: bool = True


@dataclass(frozen=True)
class Pool:
    """A max pool: `(B, C, *space) -> (B, C, *space / stride)`, one entry an axis."""

    kernel: Tuple[int, ...]
    stride: Tuple[int, ...]
    pad: Tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """A run of residual units of one width; the first one has the stride."""

    blocks: int
    out_channels: int
    stride: int = 2


@dataclass(frozen=True)
class Placement:
    """An extra unit behind residual unit `after` (counted from 1) of stage `stage` (2..5)."""

    kind: str
    stage: int
    after: int
    options: Tuple[Tuple[str, object], ...] = ()


@dataclass(frozen=True)
class NetSpec:
    """A network as a row: `plan()` yields its units. Raises ValueError where it can't be built.

    `stages[0]` is Res2. `bottleneck` picks 1x1-3x3-1x1 units (a quarter of the width inside, the
    stride on the 3x3) over 3x3-3x3 ones. Inputs are `(B, in_channels, *input_size)` pixels.
    `source` says where the row is from; the zoo fills in `name` and `source`.
    """

    stages: Tuple[Stage, ...]
    stem: Stem = Stem()
    bottleneck: bool = True
    extras: Tuple[Placement, ...] = ()
    in_channels: int = 3
    input_size: Tuple[int, ...] = (224, 224)
    name: str = ""
    source: str = ""

    def __post_init__(self):
        if not self.stages:
            raise InputError("a network needs at least one stage, given none")
        stages = range(2, 2 + len(self.stages))
        seen = set()
        for extra in self.extras:
            if extra.kind not in EXTRA_UNITS:
                raise InputError(
                    f"unit kind must be one of {sorted(EXTRA_UNITS)}, given {extra.kind!r}"
                )
            if extra.stage not in stages:
                raise InputError(f"stage must be one of {list(stages)}, given {extra.stage}")
            blocks = self.stages[extra.stage - 2].blocks
            if not 1 <= extra.after <= blocks:
                raise InputError(
                    f"Res{extra.stage} has residual units 1 to {blocks}, "
                    f"a {extra.kind} unit can't follow unit {extra.after}"
                )
            if (extra.stage, extra.after) in seen:
                raise InputError(
                    f"only one extra unit can follow unit {extra.after} of Res{extra.stage}"
                )
            seen.add((extra.stage, extra.after))
        for _ in self.plan():  # the units check their own widths and options
            pass

    @property
    def ndim(self) -> int:
        return len(self.input_size)

    @property
    def stem_conv(self) -> Conv:
        stem = self.stem
        return make_conv(
            "conv1", self.in_channels, stem.channels, stem.kernel, stem.stride, self.ndim
        )

    @property
    def stem_pool(self) -> Union[Pool, None]:
        if not self.stem.pool:
            return None
        return Pool(*(per_axis(n, self.ndim, flat) for n, flat in ((3, 1), (2, 1), (1, 0))))

    @property
    def axes(self) -> int:
        """Spatial axes inside the network: two for one dimension, else `ndim`."""
        return len(self.stem_conv.kernel)

    @property
    def feature_channels(self) -> int:
        return self.stages[-1].out_channels

    def plan(self) -> Iterator[PlanUnit]:
        """Every unit between stem and tail, in order, with its full name."""
        extras = {(e.stage, e.after): e for e in self.extras}
        channels = self.stem.channels
        for number, stage in enumerate(self.stages, start=2):
            for block in range(1, stage.blocks + 1):
                name = f"conv{number}_B{block:02d}"
                stride = stage.stride if block == 1 else 1
                yield self._residual(name, channels, stage.out_channels, stride)
                channels = stage.out_channels
                if (number, block) in extras:
                    yield self._extra(extras[number, block], f"{name}_extra", channels)

    def _residual(self, name, in_channels, out_channels, stride) -> ResidualUnit:
        mid = out_channels // 4 if self.bottleneck else out_channels
        # suffix, width, kernel, stride
        rows = (
            (("m1", mid, 1, 1), ("m2", mid, 3, stride), ("m3", out_channels, 1, 1))
            if self.bottleneck
            else (("m1", mid, 3, stride), ("m2", out_channels, 3, 1))
        )
        convs, width = [], in_channels
        for suffix, out, kernel, step in rows:
            convs.append(make_conv(f"conv-{suffix}", width, out, kernel, step, self.ndim))
            width = out
        shortcut = None
        if stride != 1 or in_channels != out_channels:
            shortcut = make_conv("conv-w1", in_channels, out_channels, 1, stride, self.ndim)
        return ResidualUnit(name, tuple(convs), shortcut)

    def _extra(self, extra: Placement, name: str, channels: int):
        options = dict(extra.options)
        # 128 at Res3 and 256 at Res4 of a bottleneck network (paper, section 4.1).
        options.setdefault("mid_channels", channels // 4)
        return EXTRA_UNITS[extra.kind](name, in_channels=channels, ndim=self.axes, **options)

    def with_units(self, kind, *, res2=(), res3=(), res4=(), res5=(), **options) -> NetSpec:
        """This network with `kind` units added behind the numbered residual units (from 1).

        `options` are the unit's own, e.g. `arrangement="post"` (see `GloReUnit`).
        Raises ValueError where there is no such kind, stage, residual unit or option.
        """
        if kind not in EXTRA_UNITS:
            raise InputError(f"unit kind must be one of {sorted(EXTRA_UNITS)}, given {kind!r}")
        known = {f.name for f in dataclasses.fields(EXTRA_UNITS[kind])}
        allowed = sorted(known - {"name", "in_channels", "ndim"})
        for option in options:
            if option not in allowed:
                raise InputError(f"a {kind} unit's options are {allowed}, given {option!r}")
        places = ((2, res2), (3, res3), (4, res4), (5, res5))
        added = tuple(
            Placement(kind, stage, after, tuple(sorted(options.items())))
            for stage, afters in places
            for after in afters
        )
        return dataclasses.replace(self, extras=self.extras + added)

    @property
    def placement(self) -> str:
        """Where the extra units stand, e.g. "glore: Res3 1,3; Res4 1,3,5"."""
        parts = []
        for kind in EXTRA_UNITS:
            afters = {}
            for extra in self.extras:
                if extra.kind == kind:
                    afters.setdefault(extra.stage, []).append(extra.after)
            if afters:
                rows = (f"Res{s} {','.join(map(str, a))}" for s, a in sorted(afters.items()))
                parts.append(f"{kind}: " + "; ".join(rows))
        return ", ".join(parts) or "none"
