"""The head that makes a network label every pixel: a fully convolutional network (FCN) as data.

Long et al., CVPR 2015 (https://arxiv.org/abs/1411.4038), on dilated convolutions (Yu and Koltun
2016, https://arxiv.org/abs/1511.07122), with GloRe units in the head (paper, section 4.3).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Iterator, Tuple, Union

from ..utils import kinds
from ..utils.errors import InputError
from .extra_units import GloReUnit
from .units import ConvUnit, make_conv, per_axis

# So many of the last stages keep the resolution: a location of the last one is 8 x 8 pixels.
DILATED = 2


@dataclass(frozen=True)
class FCNHead:
    """3x3 convolution, GloRe units, 3x3 convolution, dropout, and a classifier of every pixel.

    Convolutions have `channels` filters. There are `units` GloRe units of `mid_channels` nodes and
    twice as many states; their node features are divided by the number of locations, so that
    pictures may have any size. With `auxiliary` above 0 a second, smaller head learns from that
    stage (2..5) in training. Raises InputError where one is no whole number or out of range.
    """

    channels: int = 512
    units: int = 0
    mid_channels: int = 64
    auxiliary: int = 0

    def __post_init__(self):
        for field, least in (("channels", 1), ("units", 0), ("mid_channels", 1), ("auxiliary", 0)):
            kinds.whole().check(getattr(self, field), f"head: {field}")
            if getattr(self, field) < least:
                raise InputError(
                    f"head: {field} must be at least {least}, given {getattr(self, field)}"
                )

    def plan(self, in_channels, norm) -> Iterator[Union[ConvUnit, GloReUnit]]:
        """Yield the units between the features `(B, in_channels, H, W)` and the classifier.

        `in_channels` None are found by the first forward. `norm` has BatchNorm's options, as
        `units.norm_of` gives them.
        """
        yield ConvUnit(make_conv("head_conv1", in_channels, self.channels, 3), **norm)
        for number in range(1, self.units + 1):
            yield GloReUnit(
                f"head_extra{number}",
                self.channels,
                self.mid_channels,
                arrangement="post",
                normalize=True,
                **norm,
            )
        yield ConvUnit(make_conv("head_conv2", self.channels, self.channels, 3), **norm)

    def auxiliary_unit(self, in_channels, norm) -> ConvUnit:
        """The convolution from a stage's `in_channels` to the auxiliary classifier."""
        conv = make_conv("auxiliary_conv1", in_channels, max(1, in_channels // 4), 3)
        return ConvUnit(conv, **norm)


def as_fcn(
    spec,
    *,
    units=0,
    multi_grid: Union[Tuple[int, ...], None] = None,
    channels=512,
    mid_channels=64,
    auxiliary=0,
    dropout=0.1,
    classes=19,
    input_size=(768, 768),
):
    """A 2-D network of a `NetSpec` made fully convolutional: pixels to logits at every pixel.

    The last two stages keep the resolution of the stage before. Their 3x3 convolutions are dilated
    by the strides that they lose, so that they compute for every location what the classification
    network of the same weights computes for each second or fourth. `multi_grid` gives the dilation
    of each unit of the last stage instead (Chen et al. 2017, https://arxiv.org/abs/1706.05587,
    section 3.1.2). The other options are those of `FCNHead` and `NetSpec`; `input_size` is that of
    training, and inputs may have another.

    Raises InputError where the network has not two dimensions, has a head already, or strides
    differently along its two axes.
    """
    if spec.ndim != 2 or spec.head is not None:
        raise InputError(
            f"an FCN is made of a classification network of 2 dimensions, given {spec.name} of "
            f"{spec.ndim} dimensions{' with a head' if spec.head else ''}"
        )
    stages, lost = list(spec.stages[:-DILATED]), 1
    for stage in spec.stages[-DILATED:]:
        stride, *others = set(per_axis(stage.stride, spec.ndim))
        if others:
            raise InputError(f"an FCN's strides are alike on both axes, given {stage.stride}")
        # The first unit reads features of the old density: trained weights keep their meaning.
        dilation = (lost, *(lost * stride,) * (stage.blocks - 1))
        stages.append(dataclasses.replace(stage, stride=1, dilation=dilation))
        lost *= stride
    if multi_grid:
        stages[-1] = dataclasses.replace(stages[-1], dilation=tuple(multi_grid))
    return dataclasses.replace(
        spec,
        stages=tuple(stages),
        head=FCNHead(channels, units, mid_channels, auxiliary),
        dropout=dropout,
        classes=classes,
        input_size=tuple(input_size),
    )
