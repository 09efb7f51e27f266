"""The layers of heads that label pixels, and the auxiliary head of training.

Long et al., CVPR 2015 (https://arxiv.org/abs/1411.4038); the auxiliary head is that of Zhao et al.,
CVPR 2017 (https://arxiv.org/abs/1612.01105), section 3.3. `plan/head.py` has the widths.
"""

from mxnet.gluon import HybridBlock, nn

from ..plan.units import ConvUnit, norm_of
from .basic import Norm, convolution
from .functional import upsample


class ConvNorm(HybridBlock):
    """Convolution, BatchNorm, ReLU: `(B, C, H, W) -> (B, C', H, W)`."""

    def __init__(self, unit: ConvUnit):
        super().__init__(prefix=f"{unit.name}_")
        self.conv = convolution(unit.conv)
        self.norm = Norm(unit.name, unit.out_channels, **norm_of(unit))

    def hybrid_forward(self, F, x):
        """`(B, C, H, W) -> (B, C', H, W)`."""
        return self.norm(self.conv(x))


def pixel_classifier(name, channels, classes):
    """1x1 convolution `(B, channels, H, W) -> (B, classes, H, W)`, named like a dense one."""
    return nn.Conv2D(classes, 1, in_channels=channels, prefix=f"{name}_")


class AuxiliaryHead(nn.HybridSequential):
    """A small head behind a stage of a `NetSpec`: `(B, C, H, W)` -> logits `(B, classes, H, W)`."""

    def __init__(self, spec, classes):
        super().__init__(prefix="")
        channels = spec.stage_channels(spec.head.auxiliary)
        unit = spec.head.auxiliary_unit(channels, norm_of(spec))
        self.add(Norm("auxiliary", channels, **norm_of(spec)), ConvNorm(unit))
        if spec.dropout:
            self.add(nn.Dropout(spec.dropout, prefix="auxiliary_dropout_"))
        self.add(pixel_classifier("auxiliary_classifier", unit.out_channels, classes))


class WithAuxiliary(HybridBlock):
    """A segmentation network with its auxiliary head, for training.

    `(B, C, H, W) ->` logits and auxiliary logits, `(B, classes, H, W)` each. `net` is a `Network`
    whose spec has `head.auxiliary`; all parameters are its own.
    """

    def __init__(self, net):
        super().__init__(prefix="")
        self.net = net
        stages = [number for number, _ in net.spec.plan_by_stage()]
        units = sum(number <= net.spec.head.auxiliary for number in stages)
        self._last = net.first_unit + units - 1

    def hybrid_forward(self, F, x):
        """`(B, C, H, W) ->` logits and auxiliary logits, `(B, classes, H, W)` each."""
        y = x
        for index, layer in enumerate(self.net.features):
            y = layer(y)
            if index == self._last:
                auxiliary = self.net.auxiliary(y)
        spec = self.net.spec
        return (
            upsample(F, self.net.output(y), x, spec.total_stride),
            upsample(F, auxiliary, x, spec.stride_at(spec.head.auxiliary)),
        )
