"""The rows that a `NetSpec` is made of: stem, stages, places of extra units. No MXNet here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple, Union

PerAxis = Union[int, Tuple[int, ...]]


@dataclass(frozen=True)
class Pool:
    """A max pool: `(B, C, *space) -> (B, C, *space / stride)`, one entry an axis."""

    kernel: Tuple[int, ...]
    stride: Tuple[int, ...]
    pad: Tuple[int, ...]


@dataclass(frozen=True)
class Stem:
    """First convolution, and a max pool of kernel `pool` (0: none).

    A number stands for all axes. The pool has stride 2 on every axis that its kernel spans.
    """

    channels: int = 64
    kernel: PerAxis = 7
    stride: PerAxis = 2
    pool: PerAxis = 3


@dataclass(frozen=True)
class Stage:
    """A run of residual or dual-path units of one width; the first one has the stride.

    `out_channels` is the width of the residual path. `mid_channels` (default: a quarter) is the
    width inside a bottleneck, `groups` those of its 3x3. `growth` is what each dual-path unit adds
    to the dense path. `temporal`, in three dimensions (time first), makes every 3x3x3 a 1x3x3 and
    gives the numbered bottlenecks (from 1) a 3x1x1 in place of their first 1x1x1. `dilation` is
    that of every 3x3, one number or one for each unit.
    """

    blocks: int
    out_channels: int
    stride: PerAxis = 2
    mid_channels: Union[int, None] = None
    groups: int = 1
    growth: int = 0
    temporal: Union[Tuple[int, ...], None] = None
    dilation: Union[int, Tuple[int, ...]] = 1

    @property
    def dilations(self) -> Tuple[int, ...]:
        """One number a unit."""
        of_all = isinstance(self.dilation, int)
        return (self.dilation,) * self.blocks if of_all else self.dilation


@dataclass(frozen=True)
class Placement:
    """An extra unit behind residual unit `after` (counted from 1) of stage `stage` (2..5)."""

    kind: str
    stage: int
    after: int
    options: Tuple[Tuple[str, object], ...] = ()
