"""The units that this project adds to networks: plain rows of widths and options.

A kind is a row of `EXTRA_UNITS`. Its convolutions have names relative to it; where it stands in a
network is known to `spec.py` alone.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from dataclasses import dataclass, replace
from typing import ClassVar, Tuple, Union

from ..utils import kinds
from ..utils.errors import InputError
from .units import (
    BATCH_NORM_EPS,
    BATCH_NORM_MOMENTUM,
    Conv,
    ConvUnit,
    DualPathUnit,
    ResidualUnit,
    make_conv,
)

ARRANGEMENTS = ("pre", "post")


_KINDS = {int: kinds.whole(), float: kinds.number(0), bool: kinds.FLAG}


@functools.cache
def _kinds_of(row):
    """The `Kind` of each field of a row that is a number or a flag, by its annotation."""
    hints = typing.get_type_hints(row)
    fields = (field.name for field in dataclasses.fields(row))
    return {field: _KINDS[hints[field]] for field in fields if hints[field] in _KINDS}


def _check_types(unit):
    for field, kind in _kinds_of(type(unit)).items():
        kind.check(getattr(unit, field), f"{unit.name}: {field}")


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
    - `frames` is as in `Conv`, for a network with time in the batch axis.
    - `eps` and `momentum` are BatchNorm's.

    Raises InputError on a value of another type, or an impossible one.
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
    frames: int = 0
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    def __post_init__(self):
        _check_types(self)
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
    def axes(self) -> int:
        """The spatial axes of its input."""
        return 2 if self.frames else self.ndim

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
    section 3.3). `zero_gamma`, `passing`, `frames`, `eps` and `momentum` are as in `GloReUnit`.
    Raises InputError on an impossible value.
    """

    kind: ClassVar[str] = "nonlocal"
    name: str
    in_channels: int
    mid_channels: int
    ndim: int = 2
    subsample: int = 1
    zero_gamma: bool = True
    passing: int = 0
    frames: int = 0
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    def __post_init__(self):
        _check_types(self)
        _check_least_one(self, "in_channels", "mid_channels", "subsample")
        _check_ndim(self)

    @property
    def axes(self) -> int:
        """The spatial axes of its input."""
        return 2 if self.frames else self.ndim

    @property
    def pool(self) -> Tuple[int, ...]:
        """Kernel and stride of the pool before keys and values, one entry an axis."""
        return (1,) * (self.axes == 3) + (self.subsample,) * min(self.axes, 2)

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


def untrained(names) -> str:
    """The warning of GloRe units of these names that are evaluated before they were trained."""
    others = f" and {len(names) - 1} more units" if len(names) > 1 else ""
    return (
        f"evaluated untrained: the BatchNorm statistics of {names[0]}{others} are unset, and the "
        "outputs may overflow; train some steps, or load weights"
    )


def reads_clips(unit) -> bool:
    """Whether a unit of a network with time in the batch axis is given an axis for it all the same.

    So it is where its row has no `frames`.
    """
    return unit.kind in EXTRA_UNITS and not hasattr(unit, "frames")


EXTRA_UNITS = {cls.kind: cls for cls in (GloReUnit, NonLocalUnit)}
PlanUnit = Union[ResidualUnit, DualPathUnit, ConvUnit, GloReUnit, NonLocalUnit]
