"""The units that plans are made of: plain rows of widths, strides, kernels and options.

A unit knows its own convolutions, whose names are relative to it. Where it stands in a network is
known to `spec.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Tuple, Union

from ..utils.errors import InputError

ARRANGEMENTS = ("pre", "post")
BATCH_NORM_EPS = 1e-4  # of the authors' PyTorch files; released MXNet files may have another
BATCH_NORM_MOMENTUM = 0.9  # MXNet's own, and that of the authors' dual-path networks


def norm_of(row):
    """BatchNorm's options of a `NetSpec` or a unit: `{"eps": ..., "momentum": ...}`."""
    return {"eps": row.eps, "momentum": row.momentum}


@dataclass(frozen=True)
class Conv:
    """One convolution: `(B, in_channels, *space) -> (B, out_channels, *space / stride)`.

    `in_channels` None are as many as its first input has. `kernel`, `stride`, `pad` and `dilation`
    have one entry a spatial axis. Raises InputError where a number is below 1, or the groups do not
    divide the channels.
    """

    name: str
    in_channels: Union[int, None]
    out_channels: int
    kernel: Tuple[int, ...]
    stride: Tuple[int, ...]
    pad: Tuple[int, ...]
    groups: int = 1
    bias: bool = False
    dilation: Tuple[int, ...] = (1, 1)

    def __post_init__(self):
        channels = [n for n in (self.in_channels, self.out_channels) if n is not None]
        if min(*channels, self.groups) < 1:
            raise InputError(
                f"{self.name}: channels and groups must be at least 1, given "
                f"{self.in_channels} -> {self.out_channels} in {self.groups} groups"
            )
        if min(*self.kernel, *self.stride) < 1:
            raise InputError(
                f"{self.name}: kernel and stride must be at least 1, given {self.kernel} and "
                f"{self.stride}"
            )
        if any(n % self.groups for n in channels):
            raise InputError(
                f"{self.name}: {self.groups} groups do not divide "
                f"{self.in_channels} -> {self.out_channels} channels"
            )


def make_conv(
    name, in_channels, out_channels, kernel=1, stride=1, ndim=2, dilation=1, **options
) -> Conv:
    """A `Conv` padded so that stride 1 keeps the size.

    Kernel, stride and dilation are as `per_axis` takes them; an axis of kernel 1 is not dilated.
    One-dimensional networks run on `(B, C, L, 1)`: MXNet's CPU build does not train on three axes.
    """
    kernel, stride = per_axis(kernel, ndim), per_axis(stride, ndim)
    dilation = tuple(d if k > 1 else 1 for d, k in zip(per_axis(dilation, ndim), kernel))
    pad = tuple(d * (k // 2) for d, k in zip(dilation, kernel))
    return Conv(name, in_channels, out_channels, kernel, stride, pad, dilation=dilation, **options)


def per_axis(value, ndim):
    """A kernel, stride or dilation with one entry an axis, from one number or a tuple of `ndim`.

    Of one dimension it has a second entry, 1. Raises InputError on a tuple of another length.
    """
    values = value if isinstance(value, tuple) else (value,) * ndim
    if len(values) != ndim:
        raise InputError(
            f"a kernel or stride of {ndim} dimensions has {ndim} entries, given {value}"
        )
    return values + (1,) if ndim == 1 else values


@dataclass(frozen=True)
class SqueezeExcite:
    """Channel attention: two dense layers with bias (Hu et al. 2018), `<unit>_se-fc{1,2}_*`.

    `hidden` is the width between them, `axes` the number of the input's spatial axes. Raises
    InputError where `hidden` is below 1.
    """

    channels: int
    hidden: int
    axes: int = 2

    def __post_init__(self):
        if self.hidden < 1:
            raise InputError(
                f"channel attention on {self.channels} channels needs a hidden width of at least "
                f"1, given {self.hidden}: the reduction is larger than the width"
            )


@dataclass(frozen=True)
class ResidualUnit:
    """Pre-activation residual unit: x + convs(x), each convolution behind BatchNorm and ReLU.

    `shortcut` is the projection of x where the size or width changes (He et al. 2016, v2). With
    `shared_norm` it reads what the first convolution reads, behind the one BatchNorm of both;
    `squeeze_excite` scales the channels behind the last convolution. `eps` and `momentum` are
    BatchNorm's, here and in the other units.
    """

    kind: ClassVar[str] = "residual"
    name: str
    convs: Tuple[Conv, ...]
    shortcut: Union[Conv, None] = None
    squeeze_excite: Union[SqueezeExcite, None] = None
    shared_norm: bool = False
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    @property
    def in_channels(self) -> int:
        """The channels of the input."""
        return self.convs[0].in_channels

    @property
    def out_channels(self) -> int:
        """The channels of the output."""
        return self.convs[-1].out_channels


@dataclass(frozen=True)
class DualPathUnit:
    """Dual-path unit (Chen et al. 2017): a residual path and a densely growing one, concatenated.

    The first `residual` channels of input and output are the residual path, the others the dense
    one. The last convolution computes what is added to the first and appended to the second.
    `projection`, in the first unit of a stage, makes both paths anew from the input.
    """

    kind: ClassVar[str] = "dual_path"
    name: str
    residual: int
    convs: Tuple[Conv, ...]
    projection: Union[Conv, None] = None
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    @property
    def in_channels(self) -> int:
        """The channels of the input, both paths together."""
        return self.convs[0].in_channels

    @property
    def out_channels(self) -> int:
        """The channels of the output, both paths together; the dense one has grown."""
        before = self.projection.out_channels if self.projection else self.in_channels
        return before + self.convs[-1].out_channels - self.residual


@dataclass(frozen=True)
class ConvUnit:
    """A convolution, then BatchNorm and ReLU: the layers of heads for segmentation.

    Its parameters are `<name>__{conv,bn}_*`.
    """

    kind: ClassVar[str] = "conv"
    conv: Conv
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    @property
    def name(self) -> str:
        """The convolution's name."""
        return self.conv.name

    @property
    def out_channels(self) -> int:
        """The channels of the output."""
        return self.conv.out_channels


def _check_least_one(unit, *fields):
    for field in fields:
        if getattr(unit, field) < 1:
            raise InputError(
                f"{unit.name}: {field} must be at least 1, given {getattr(unit, field)}"
            )


def _check_ndim(unit):
    if unit.ndim not in (1, 2, 3):
        raise InputError(f"{unit.name}: ndim must be 1, 2 or 3, given {unit.ndim}")


@dataclass(frozen=True)
class GloReUnit:
    """Global reasoning unit (paper, section 3): its widths and options.

    The graph has N = `mid_channels` nodes with S = 2 N states each.

    - `arrangement` "pre" has BatchNorm and ReLU before every convolution, as the released ImageNet
      networks. "post" has biases, and one BatchNorm with zero-initialised gamma behind the last
      convolution, as the released PyTorch unit.
    - `normalize` divides the node features by the number of locations.
    - `graph_layers` is g of the paper's Table 1.
    - `shared_projection`: nodes are projected back with the mask of the way in; else with another,
      which is learned.
    - `pool_stride` > 1 averages the input of the way in over that many locations a dimension.
    - `extend_first` ("post" only) extends the nodes, not the locations that they are projected back
      to: the same numbers for less where there are many locations (see `ordered_for`).
    - `zero_gamma` False ("post" only) starts the last gamma at one: the unit then is not the
      identity at first.
    - `passing` channels behind the unit's own go by it unchanged: the dense path of a dual-path
      network.
    - `residual` ("pre" only) is for a unit that reads both paths of a dual-path network: one
      convolution extends to the first `residual` channels, another to the others, as in the
      released dual-path networks.
    - `eps` and `momentum` are BatchNorm's.

    Raises InputError on an impossible value.
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
    extend_first: bool = False
    zero_gamma: bool = True
    passing: int = 0
    residual: int = 0
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    def __post_init__(self):
        _check_least_one(self, "in_channels", "mid_channels", "graph_layers", "pool_stride")
        _check_ndim(self)
        if self.arrangement not in ARRANGEMENTS:
            raise InputError(
                f"{self.name}: arrangement must be one of {ARRANGEMENTS}, "
                f"given {self.arrangement!r}"
            )
        if self.extend_first and self.arrangement != "post":
            raise InputError(
                f"{self.name}: extend_first needs arrangement 'post', given {self.arrangement!r}: "
                f"BatchNorm and ReLU stand before its extension"
            )
        if not self.zero_gamma and self.arrangement != "post":
            raise InputError(
                f"{self.name}: zero_gamma is of arrangement 'post', given {self.arrangement!r}: "
                f"it has no BatchNorm behind its extension"
            )
        if self.residual and self.arrangement != "pre":
            raise InputError(
                f"{self.name}: a unit on both paths needs arrangement 'pre', "
                f"given {self.arrangement!r}"
            )
        if not 0 <= self.residual < self.in_channels:
            raise InputError(
                f"{self.name}: residual must be below in_channels {self.in_channels}, "
                f"given {self.residual}"
            )

    def macs_back(self, locations, extend_first) -> int:
        """Multiply-adds of projecting back to `locations` and extending, in either order."""
        if extend_first:
            return self.nodes * self.in_channels * (self.states + locations)
        return self.states * locations * (self.nodes + self.in_channels)

    def ordered_for(self, locations) -> GloReUnit:
        """This unit with `extend_first` where that is faster for an input of `locations`.

        That is so in three dimensions, where it saves a third of the multiply-adds or more. In two
        dimensions saving half of them gained nothing: more of the others are batch_dot's, which is
        slower than a convolution (benchmarks/projection_order.py).
        """
        first, last = (self.macs_back(locations, extend_first) for extend_first in (True, False))
        faster = self.ndim == 3 and 3 * first <= 2 * last
        return replace(self, extend_first=self.arrangement == "post" and faster)

    @property
    def out_channels(self) -> int:
        """The channels of the output, as many as of the input."""
        return self.in_channels

    @property
    def nodes(self) -> int:
        """N, the nodes of the graph."""
        return self.mid_channels

    @property
    def states(self) -> int:
        """S, the numbers that a node holds."""
        return 2 * self.mid_channels

    @property
    def _bias(self) -> bool:
        """Whether convolutions have biases."""
        return self.arrangement == "post"

    # All convolutions act on flattened locations: they are 2-D and 1x1 in every dimension.

    @property
    def state(self) -> Conv:
        """phi: X to state features, (B, C, L, 1) -> (B, S, L, 1)."""
        return make_conv("conv-state", self.in_channels, self.states, bias=self._bias)

    @property
    def projection(self) -> Conv:
        """theta: X to the projection mask, (B, C, L, 1) -> (B, N, L, 1)."""
        return make_conv("conv-proj", self.in_channels, self.nodes, bias=self._bias)

    @property
    def reverse(self) -> Union[Conv, None]:
        """The mask of the way back where it is not shared, (B, C, L, 1) -> (B, N, L, 1)."""
        if self.shared_projection:
            return None
        return make_conv("conv-reverse", self.in_channels, self.nodes, bias=self._bias)

    @property
    def graph(self) -> Tuple[Tuple[Conv, Conv], ...]:
        """Each layer's adjacency (over nodes) and state update (over states)."""
        suffixes = [""] + [f"-{g}" for g in range(2, self.graph_layers + 1)]
        return tuple(
            (
                make_conv(f"GCN-G{suffix}", self.nodes, self.nodes, bias=self._bias),
                make_conv(f"GCN-GHW{suffix}", self.states, self.states),
            )
            for suffix in suffixes
        )

    @property
    def extensions(self) -> Tuple[Conv, ...]:
        """States to the channels of the input, or of each path, (B, S, L, 1) -> (B, C, L, 1)."""
        if not self.residual:
            return (make_conv("fc-2", self.states, self.in_channels),)
        return (
            make_conv("conv-tail-res", self.states, self.residual),
            make_conv("conv-tail-den", self.states, self.in_channels - self.residual),
        )


@dataclass(frozen=True)
class NonLocalUnit:
    """Non-local block, embedded Gaussian (Wang et al. 2018): the paper's baseline.

    `mid_channels` is its inner width, by default half the input's. Its convolutions have biases,
    and BatchNorm with zero-initialised gamma stands behind the last one. `subsample` > 1 max-pools
    the input of keys and values over that many pixels a spatial dimension, not over time (their
    section 3.3). `zero_gamma`, `passing`, `eps` and `momentum` are as in `GloReUnit`. Raises
    InputError on an impossible value.
    """

    kind: ClassVar[str] = "nonlocal"
    name: str
    in_channels: int
    mid_channels: int
    ndim: int = 2
    subsample: int = 1
    zero_gamma: bool = True
    passing: int = 0
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    def __post_init__(self):
        _check_least_one(self, "in_channels", "mid_channels", "subsample")
        _check_ndim(self)

    @property
    def pool(self) -> Tuple[int, ...]:
        """Kernel and stride of the pool before keys and values, one entry a dimension."""
        return (1,) * (self.ndim == 3) + (self.subsample,) * min(self.ndim, 2)

    @property
    def out_channels(self) -> int:
        """The channels of the output, as many as of the input."""
        return self.in_channels

    def _embedding(self, name) -> Conv:
        """A 1x1 convolution to the inner width."""
        return make_conv(name, self.in_channels, self.mid_channels, bias=True)

    @property
    def theta(self) -> Conv:
        """Queries, (B, C, L, 1) -> (B, M, L, 1)."""
        return self._embedding("nl-theta")

    @property
    def phi(self) -> Conv:
        """Keys, (B, C, L, 1) -> (B, M, L, 1)."""
        return self._embedding("nl-phi")

    @property
    def value(self) -> Conv:
        """g: values, (B, C, L, 1) -> (B, M, L, 1)."""
        return self._embedding("nl-g")

    @property
    def extension(self) -> Conv:
        """W_z: back to the input's width, (B, M, L, 1) -> (B, C, L, 1)."""
        return make_conv("nl-out", self.mid_channels, self.in_channels)


EXTRA_UNITS = {cls.kind: cls for cls in (GloReUnit, NonLocalUnit)}
PlanUnit = Union[ResidualUnit, DualPathUnit, ConvUnit, GloReUnit, NonLocalUnit]
