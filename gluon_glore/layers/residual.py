"""The pre-activation residual unit of ResNet, ResNeXt and SE-Net.

He et al., ECCV 2016 (https://arxiv.org/abs/1603.05027); groups after Xie et al., CVPR 2017
(https://arxiv.org/abs/1611.05431).
"""

from mxnet.gluon import HybridBlock, nn

from ..plan.units import ResidualUnit, norm_of
from .basic import PreActConv
from .squeeze_excite import ChannelAttention


class Residual(HybridBlock):
    """x + convs(x), or shortcut(x) + convs(x): `(B, C, *space) -> (B, C', *space / stride)`."""

    def __init__(self, unit: ResidualUnit):
        super().__init__(prefix=f"{unit.name}_")
        with self.name_scope():
            self.body = nn.HybridSequential(prefix="body_")
            for conv in unit.convs:
                self.body.add(PreActConv(conv, **norm_of(unit)))
            attention = unit.squeeze_excite
            if attention:
                self.body.add(ChannelAttention(attention))
            shortcut = unit.shortcut
            self.shortcut = PreActConv(shortcut, **norm_of(unit)) if shortcut else None

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C', *space')`."""
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return self.body(x) + shortcut
