"""The pre-activation residual unit of ResNet, ResNeXt and SE-Net.

He et al., ECCV 2016 (https://arxiv.org/abs/1603.05027); groups after Xie et al., CVPR 2017
(https://arxiv.org/abs/1611.05431).
"""

from collections import OrderedDict

import torch.nn.functional as F
from torch import nn

from .layers import PreActConv, convolution, dense, module_name
from .squeeze_excite import scale_channels


class Residual(nn.Module):
    """x + convs(x), or conv_w1(x) + convs(x): `(B, C, *space) -> (B, C', *space / stride)`.

    Its convolutions are `conv_m1` and on, as in the authors' release. With a shared norm, that of
    `conv_m1` stands before `conv_w1`, too.
    """

    def __init__(self, unit, ndim):
        super().__init__()
        self.shared_norm = unit.shared_norm
        first, *others = unit.convs
        self.conv_m1 = PreActConv(first, ndim, unit)
        self.others = [module_name(conv) for conv in others]
        for name, conv in zip(self.others, others):
            self.add_module(name, PreActConv(conv, ndim, unit))
        self.conv_w1 = None
        if unit.shortcut and unit.shared_norm:
            self.conv_w1 = nn.Sequential(OrderedDict(conv=convolution(unit.shortcut, ndim)))
        elif unit.shortcut:
            self.conv_w1 = PreActConv(unit.shortcut, ndim, unit)
        self.se_fc1 = self.se_fc2 = None
        attention = unit.squeeze_excite
        if attention:
            self.se_fc1 = dense(attention.channels, attention.hidden)
            self.se_fc2 = dense(attention.hidden, attention.channels)

    def forward(self, x):
        """`(B, C, *space) -> (B, C', *space')`."""
        read = x
        if self.shared_norm:
            read = F.relu(self.conv_m1.bn(x), inplace=True)
            y = self.conv_m1.conv(read)
        else:
            y = self.conv_m1(x)
        for name in self.others:
            y = self._modules[name](y)
        if self.se_fc1 is not None:
            y = scale_channels(y, self.se_fc1, self.se_fc2)
        # The shortcut comes last: its output need not wait in memory for the others.
        y += x if self.conv_w1 is None else self.conv_w1(read)
        return y
