"""The rows that a `NetSpec` is made of: stem, stages, places of extra units."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Tuple, Union

from ..utils import kinds
from ..utils.errors import InputError, shown

MOST_BLOCKS = 1000  # a spec walks its plan unit by unit to check it
PerAxis = Union[int, Tuple[int, ...]]


@dataclass(frozen=True)
class Pool:
    """A max pool: `(B, C, *space) -> (B, C, *space / stride)`, one entry an axis."""

    kernel: Tuple[int, ...]
    stride: Tuple[int, ...]
    pad: Tuple[int, ...]

    def of_last(self, axes) -> Pool:
        """The pool of the last `axes` axes: that of each frame, where it pools no time."""
        return Pool(*(entries[-axes:] for entries in (self.kernel, self.stride, self.pad)))


@dataclass(frozen=True)
class Stem:
    """The first convolution of a network, and a max pool of kernel `pool` behind it (0: none).

    A number stands for all axes. The pool has stride 2 on every axis where its kernel is above 1.
    With `norm_input` a BatchNorm of the pixels stands before the convolution, as in MXNet's and
    GluonCV's pre-activation ResNets.
    """

    channels: int = 64
    kernel: PerAxis = 7
    stride: PerAxis = 2
    pool: PerAxis = 3
    norm_input: bool = False


@dataclass(frozen=True)
class Stage:
    """`blocks` residual or dual-path units of one width, the first of which has the stride.

    `out_channels` is the width of the residual path. `mid_channels` (default: a quarter of it) is
    the width inside a bottleneck, `groups` the number of groups of its 3x3. `growth` is the number
    of channels that each dual-path unit adds to the dense path. `temporal` is for three dimensions,
    time first: it makes every 3x3x3 a 1x3x3, and the first 1x1x1 of the bottlenecks that it numbers
    (from 1) a 3x1x1. `dilation` is that of every 3x3: one number, or one for each unit. Raises
    InputError on a number of blocks below 1 or above `MOST_BLOCKS`.
    """

    blocks: int
    out_channels: int
    stride: PerAxis = 2
    mid_channels: Union[int, None] = None
    groups: int = 1
    growth: int = 0
    temporal: Union[Tuple[int, ...], None] = None
    dilation: Union[int, Tuple[int, ...]] = 1

    def __post_init__(self):
        if not 1 <= self.blocks <= MOST_BLOCKS:
            raise InputError(f"a stage has 1 to {MOST_BLOCKS} blocks, given {self.blocks}")

    @property
    def dilations(self) -> Tuple[int, ...]:
        """The dilation of each unit."""
        same = isinstance(self.dilation, int)
        return (self.dilation,) * self.blocks if same else self.dilation


@dataclass(frozen=True)
class Placement:
    """An extra unit behind residual unit `after` (counted from 1) of stage `stage` (2..5).

    `kind` is "glore" or "nonlocal", `options` those of its row, as `(name, value)`. Raises
    InputError where stage or unit is no whole number.
    """

    kind: str
    stage: int
    after: int
    options: Tuple[Tuple[str, object], ...] = ()

    def __post_init__(self):
        for field in ("stage", "after"):
            kinds.whole().check(getattr(self, field), f"an extra unit's {field}")
        kinds.FLAG.check(dict(self.options).get("both_paths", False), "both_paths")


def placements(kind, places, options) -> Tuple[Placement, ...]:
    """A `Placement` for each of `places`, `{stage: (after, ...)}`, all of the same `options`.

    Raises InputError as that does, and where a stage has something else than several numbers.
    """
    for stage, afters in places.items():
        if not isinstance(afters, Iterable):
            raise InputError(
                f"res{stage} is the numbers of residual units, as (1, 3), given {shown(afters)}"
            )
    options = tuple(sorted(options.items()))
    return tuple(
        Placement(kind, stage, after, options)
        for stage, afters in places.items()
        for after in afters
    )
