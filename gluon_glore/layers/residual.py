"""The pre-activation residual unit of ResNet, ResNeXt and SE-Net.

He et al., ECCV 2016 (https://arxiv.org/abs/1603.05027); groups after Xie et al., CVPR 2017
(https://arxiv.org/abs/1611.05431).
"""

from mxnet.gluon import HybridBlock, nn

from ..plan.units import ResidualUnit, norm_of
from .basic import Norm, PreActConv, convolution
from .squeeze_excite import ChannelAttention


class Residual(HybridBlock):
    """x + convs(x), or shortcut(x) + convs(x): `(B, C, *space) -> (B, C', *space / stride)`."""

    def __init__(self, unit: ResidualUnit):
        super().__init__(prefix=f"{unit.name}_")
        first, *others = unit.convs
        with self.name_scope():
            self.norm = None
            if unit.shared_norm:
                self.norm = Norm(first.name, first.in_channels, first.axes, **norm_of(unit))
            self.body = nn.HybridSequential(prefix="body_")
            self.body.add(self._conv(first, unit))
            for conv in others:
                self.body.add(PreActConv(conv, **norm_of(unit)))
            attention = unit.squeeze_excite
            if attention:
                self.body.add(ChannelAttention(attention))
            shortcut = unit.shortcut
            self.shortcut = self._conv(shortcut, unit) if shortcut else None

    @staticmethod
    def _conv(conv, unit):
        """A convolution that reads the unit's input, behind its own BatchNorm or a shared one."""
        return convolution(conv) if unit.shared_norm else PreActConv(conv, **norm_of(unit))

    @property
    def last_convolution(self):
        """The last convolution of the branch, a `PreActConv`."""
        return [block for block in self.body if isinstance(block, PreActConv)][-1]

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C', *space')`."""
        read = x if self.norm is None else self.norm(x)
        shortcut = x if self.shortcut is None else self.shortcut(read)
        return F.elemwise_add(self.body(read), shortcut, name="sum")
