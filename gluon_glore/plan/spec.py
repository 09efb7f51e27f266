"""Networks as data: every width, stride, kernel and unit position, computed once in plain Python.

`NetSpec.plan()` yields the units of a network in order. `gluon_glore` builds HybridBlocks from the
plan, `symbols` builds symbols; neither computes a width.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Dict, Iterator, Tuple, Union

from ..utils.errors import InputError
from .checks import check_dilations, check_extra, check_extras, check_head, check_temporal
from .extra_units import EXTRA_UNITS, GloReUnit, NonLocalUnit, PlanUnit
from .feature_maps import FeatureMap, feature_maps
from .head import FCNHead
from .stages import PerAxis, Placement, Pool, Stage, Stem, placements
from .units import (
    BATCH_NORM_EPS,
    BATCH_NORM_MOMENTUM,
    Conv,
    DualPathUnit,
    ResidualUnit,
    SqueezeExcite,
    make_conv,
    norm_of,
    per_axis,
)

# Names of stem, its BatchNorm, tail and classifier in the released files, by family.
NAMES = {
    "resnet": ("conv1", "conv1", "tail", "classifier"),
    "dpn": ("conv1_x_1", "conv1_x_1__relu-sp", "conv5_x_x__relu-sp", "fc6"),
}
MOST_STAGES = 32
INPUT_NORM = "input"  # name of the BatchNorm of the pixels, in no released file
# The inner width of an extra unit is that of its stage divided by this: 128 and 256 nodes at Res3
# and Res4 of a bottleneck network (paper, section 4.1), and half for the non-local block (Wang et
# al. 2018).
MID_DIVISOR = {"glore": 4, "nonlocal": 2}


@dataclass(frozen=True)
class NetSpec:
    """A network as a row: `plan()` yields its units. Raises InputError where it can't be built.

    `stages[0]` is Res2. `family` is "resnet" or "dpn". `bottleneck` picks 1x1-3x3-1x1 units (with
    the stride on the 3x3) over 3x3-3x3 ones; `squeeze_excite` is the reduction of channel
    attention, 0 for none. With `shared_norm` a unit's shortcut reads what its first convolution
    reads (see `ResidualUnit`). Inputs are `(B, in_channels, *input_size)` pixels. `dropout` is the
    share of features dropped before the classifier, `classes` their default number. `eps` is
    BatchNorm's, `momentum` the share of its running statistics that a step keeps. With a `head` the
    network labels every pixel (see `head.as_fcn`), without one it classifies the picture. `source`
    says where the row is from; the registry fills in `name` and `source`.
    """

    stages: Tuple[Stage, ...]
    stem: Stem = Stem()
    family: str = "resnet"
    bottleneck: bool = True
    squeeze_excite: int = 0
    shared_norm: bool = False
    extras: Tuple[Placement, ...] = ()
    in_channels: int = 3
    input_size: Tuple[int, ...] = (224, 224)
    dropout: float = 0.0
    classes: int = 1000
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM
    head: Union[FCNHead, None] = None
    name: str = ""
    source: str = ""

    def __post_init__(self):
        if not self.stages:
            raise InputError("a network needs at least one stage, given none")
        if len(self.stages) > MOST_STAGES:
            raise InputError(
                f"a network has at most {MOST_STAGES} stages, given {len(self.stages)}"
            )
        if self.family not in NAMES:
            raise InputError(f"family must be one of {sorted(NAMES)}, given {self.family!r}")
        if len(self.input_size) not in (1, 2, 3):
            raise InputError(f"input_size must have 1 to 3 entries, given {self.input_size}")
        if self.classes < 1:
            raise InputError(f"classes must be at least 1, given {self.classes}")
        if not 0 <= self.momentum < 1:
            raise InputError(f"momentum must be from 0 to below 1, given {self.momentum}")
        if self.shared_norm and self.family != "resnet":
            raise InputError(f"shared_norm is of residual units, given family {self.family!r}")
        check_extras(self)
        check_temporal(self)
        check_dilations(self)
        check_head(self)
        for _ in self.plan():  # the units check their own widths and options
            pass
        self.check_input(self.input_size)

    def check_input(self, size):
        """Raise InputError where an input of `size` pixels does not fit the network."""
        if len(size) != self.ndim:
            raise InputError(f"{self.name} takes {self.ndim} dimensions, given {tuple(size)}")
        if any(n < least for n, least in zip(size, self.total_stride)):
            least = "x".join(map(str, self.total_stride))
            raise InputError(
                f"input of {'x'.join(map(str, size))} is too small for the strides of {self.name}, "
                f"at least {least}"
            )
        if self.frames and size[0] != self.frames:
            raise InputError(f"{self.name} takes clips of {self.frames} frames, given {size[0]}")

    @property
    def frames(self) -> Union[int, None]:
        """Frames of a clip, which networks with `temporal` stages can't vary; None of others."""
        return self.input_size[0] if any(s.temporal is not None for s in self.stages) else None

    @property
    def ndim(self) -> int:
        """Dimensions of an input, time among them: 1, 2 or 3."""
        return len(self.input_size)

    @property
    def axes(self) -> int:
        """Spatial axes inside the network: two for one dimension or `clip_frames`, else `ndim`."""
        return self.stem_conv.axes

    @property
    def clip_frames(self) -> int:
        """Frames of a clip where the network computes with time in the batch axis, else 0.

        It does where their number is fixed, and no kernel but those of the stem's convolution and
        of `temporal` reaches over several.
        """
        pooled = self.stem_pool.kernel[0] if self.stem_pool else 1
        temporal = all(stage.temporal is not None for stage in self.stages)
        return self.frames if temporal and pooled == 1 else 0

    def frames_at(self, stage) -> int:
        """Frames of a clip behind stage `stage`, 1 for the stem, of `clip_frames`; else 0."""
        strides = (per_axis(row.stride, self.ndim)[0] for row in self.stages[: stage - 1])
        return math.ceil(self.stem_conv.frames_out / math.prod(strides)) if self.clip_frames else 0

    @property
    def total_stride(self) -> Tuple[int, ...]:
        """Input pixels for each location of the last stage, a number a dimension."""
        return self.stride_at(1 + len(self.stages))

    def stride_at(self, stage) -> Tuple[int, ...]:
        """Input pixels for each location of stage `stage` (2..5), a number a dimension."""
        strides = [self.stem_conv.stride]
        strides += [self.stem_pool.stride] if self.stem_pool else []
        strides += [per_axis(row.stride, self.ndim) for row in self.stages[: stage - 1]]
        return tuple(math.prod(axis) for axis in zip(*strides))[: self.ndim]

    def locations(self, stage) -> int:
        """Locations of stage `stage` (2..5) at the spec's own input size."""
        return math.prod(math.ceil(n / s) for n, s in zip(self.input_size, self.stride_at(stage)))

    @property
    def names(self) -> Tuple[str, str, str, str]:
        """Names of stem, its BatchNorm, tail and classifier."""
        return NAMES[self.family]

    @property
    def stem_conv(self) -> Conv:
        """The first convolution."""
        stem = self.stem
        return make_conv(
            self.names[0],
            self.in_channels,
            stem.channels,
            stem.kernel,
            stem.stride,
            self.ndim,
            frames=self.clip_frames,
            clips=self.clip_frames > 0,
        )

    @property
    def stem_pool(self) -> Union[Pool, None]:
        """The pooling behind it, None where the stem has none."""
        if not self.stem.pool:
            return None
        kernel = per_axis(self.stem.pool, self.ndim)
        return Pool(kernel, tuple(min(k, 2) for k in kernel), tuple(k // 2 for k in kernel))

    @property
    def feature_channels(self) -> int:
        """The channels that the last stage gives."""
        return self.stage_channels(1 + len(self.stages))

    def stage_channels(self, stage) -> int:
        """Channels behind stage `stage` (2..5)."""
        units = (u for n, u in self.plan_by_stage() if n == stage and u.kind not in EXTRA_UNITS)
        *_, last = units
        return last.out_channels

    @property
    def feature_maps(self) -> Dict[str, FeatureMap]:
        """What the stages give, by name: "res2" and on. See `FeatureMap`."""
        return feature_maps(self)

    def head_plan(self) -> Iterator[PlanUnit]:
        """Yield every unit between tail and classifier, in order; none without a `head`."""
        return (
            iter(()) if self.head is None else self.head.plan(self.feature_channels, norm_of(self))
        )

    def plan(self) -> Iterator[PlanUnit]:
        """Yield every unit between stem and tail, in order, with its full name."""
        for _, unit in self.plan_by_stage():
            yield unit

    def plan_by_stage(self) -> Iterator[Tuple[int, PlanUnit]]:
        """The plan with the number of each unit's stage: `(2, unit)` stands in Res2.

        An extra unit stands in the stage of the unit that it follows.
        """
        extras = {(e.stage, e.after): e for e in self.extras}
        channels = self.stem.channels
        for number, stage in enumerate(self.stages, start=2):
            for block in range(1, stage.blocks + 1):
                make = self._dual_path if self.family == "dpn" else self._residual
                unit = make(number, stage, block, channels)
                yield number, unit
                channels = unit.out_channels
                if (number, block) in extras:
                    yield number, self._extra(extras[number, block], unit.name, channels, stage)

    def _bottleneck(self, number, block, in_channels, out_channels, names, stride):
        """The three convolutions of a bottleneck."""
        stage = self.stages[number - 2]
        frames, frames_out = self._frames_around(number, block)
        mid = stage.mid_channels or stage.out_channels // 4
        dilation = stage.dilations[block - 1]
        first, second, third = names
        opening, kernel = 1, 3
        if stage.temporal is not None:
            opening, kernel = (3, 1, 1) if block in stage.temporal else 1, (1, 3, 3)
        return (
            make_conv(first, in_channels, mid, opening, 1, self.ndim, frames=frames),
            make_conv(
                second,
                mid,
                mid,
                kernel,
                stride,
                self.ndim,
                dilation,
                groups=stage.groups,
                frames=frames,
            ),
            make_conv(third, mid, out_channels, 1, 1, self.ndim, frames=frames_out),
        )

    def _frames_around(self, number, block):
        """`frames_at` before and behind unit `block` (from 1) of stage `number` (from 2)."""
        return self.frames_at(number - (block == 1)), self.frames_at(number)

    def _residual(self, number, stage, block, in_channels) -> ResidualUnit:
        """Residual unit `block` (from 1) of stage `number` (from 2)."""
        out, stride = stage.out_channels, stage.stride if block == 1 else 1
        frames, frames_out = self._frames_around(number, block)
        if self.bottleneck:
            names = ("conv-m1", "conv-m2", "conv-m3")
            convs = self._bottleneck(number, block, in_channels, out, names, stride)
        else:
            dilation = stage.dilations[block - 1]
            convs = (
                make_conv("conv-m1", in_channels, out, 3, stride, self.ndim, dilation),
                make_conv("conv-m2", out, out, 3, 1, self.ndim, dilation),
            )
        shortcut = None
        if max(per_axis(stride, self.ndim)) > 1 or in_channels != out:
            shortcut = make_conv("conv-w1", in_channels, out, 1, stride, self.ndim, frames=frames)
        attention = None
        if self.squeeze_excite:
            hidden = out // self.squeeze_excite
            attention = SqueezeExcite(out, hidden, self.axes, frames_out)
        return ResidualUnit(
            f"conv{number}_B{block:02d}",
            convs,
            shortcut,
            attention,
            self.shared_norm,
            **norm_of(self),
        )

    def _dual_path(self, number, stage, block, in_channels) -> DualPathUnit:
        """Dual-path unit `block` (from 1) of stage `number` (from 2)."""
        residual, stride = stage.out_channels, stage.stride if block == 1 else 1
        out = residual + stage.growth
        names = ("c1x1-a", "c3x3-b", "c1x1-c")
        convs = self._bottleneck(number, block, in_channels, out, names, stride)
        projection = None
        if block == 1:
            across = per_axis(stride, self.ndim)[self.ndim - 1]  # 3-D names are those of 2-D
            projection = make_conv(
                f"c1x1-w(s/{across})",
                in_channels,
                residual + 2 * stage.growth,
                1,
                stride,
                self.ndim,
                frames=self._frames_around(number, block)[0],
            )
        return DualPathUnit(
            f"conv{number}_x__{block}", residual, convs, projection, **norm_of(self)
        )

    def _extra(self, extra, after, channels, stage) -> Union[GloReUnit, NonLocalUnit]:
        """The unit of a `Placement`, behind the unit called `after`, which has `channels`."""
        options = dict(extra.options)
        width = stage.out_channels
        options.setdefault("mid_channels", width // MID_DIVISOR[extra.kind])
        if options.pop("both_paths", False):
            paths = {"in_channels": channels, "residual": width}
        else:  # of dual paths the unit reads and returns the residual one
            paths = {"in_channels": width, "passing": channels - width}
        row = EXTRA_UNITS[extra.kind]
        fields = {field.name for field in dataclasses.fields(row)}
        own = {"frames": self.frames_at(extra.stage), **norm_of(self)}
        own = {key: value for key, value in own.items() if key in fields}
        unit = row(f"{after}_extra", ndim=self.ndim, **paths, **own, **options)
        if extra.kind == "glore" and "extend_first" not in options:
            unit = unit.ordered_for(self.locations(extra.stage))
        return unit

    def with_units(self, kind, *, res2=(), res3=(), res4=(), res5=(), **options) -> NetSpec:
        """This network with `kind` units added behind the numbered residual units (from 1).

        `options` are the unit's own, e.g. `arrangement="post"` (see `GloReUnit`). GloRe units of
        dual-path networks also take `both_paths=True`: they then read and extend to both paths, as
        in the released files, and not to the residual one alone.
        Raises InputError where there is no such kind, stage, residual unit or option.
        """
        check_extra(kind, options, both_paths=self.family == "dpn")
        added = placements(kind, {2: res2, 3: res3, 4: res4, 5: res5}, options)
        return dataclasses.replace(self, extras=self.extras + added)

    def flattened(self) -> NetSpec:
        """The 2-D network whose weights `inflate_weights` puts into this 3-D one.

        Kernels, strides, pool and input lose their first axis, time; classes, units, their places
        and names stay. A stage that strides in time alone and keeps its width has a shortcut that
        the 2-D network lacks. Raises InputError where this network is not 3-D.
        """
        if self.ndim != 3:
            raise InputError(
                f"only networks of 3 dimensions are flattened, {self.name} has {self.ndim}"
            )
        stem = {
            field: _without_time(getattr(self.stem, field))
            for field in ("kernel", "stride", "pool")
        }
        return dataclasses.replace(
            self,
            stem=dataclasses.replace(self.stem, **stem),
            stages=tuple(
                dataclasses.replace(stage, stride=_without_time(stage.stride), temporal=None)
                for stage in self.stages
            ),
            input_size=self.input_size[1:],
            name=f"{self.name}_flattened",
        )

    @property
    def placement(self) -> str:
        """Where the extra units stand, e.g. "glore: Res3 1,3; Res4 1,3,5", or "none"."""
        parts = []
        for kind in EXTRA_UNITS:
            afters = {}
            for extra in self.extras:
                if extra.kind == kind:
                    afters.setdefault(extra.stage, []).append(extra.after)
            if afters:
                rows = (f"Res{s} {','.join(map(str, a))}" for s, a in sorted(afters.items()))
                parts.append(f"{kind}: " + "; ".join(rows))
        if self.head is not None and self.head.units:
            parts.append(f"glore: head {','.join(map(str, range(1, self.head.units + 1)))}")
        return ", ".join(parts) or "none"


def _without_time(value: PerAxis) -> PerAxis:
    """A tuple without its first entry; a number, which stands for all axes, as it is."""
    return value[1:] if isinstance(value, tuple) else value
