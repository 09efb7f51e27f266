"""The layers that units are made of, for one, two or three dimensions.

Convolutions start He-normal, dense layers uniform, as the Gluon networks do.
"""

import re

import torch.nn.functional as F
from torch import nn

CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
AVERAGE_POOLS = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
MAX_POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}


def module_name(conv):
    """What a convolution of the plan is called as a module: "conv_m1" of "conv-m1"."""
    return re.sub(r"\(s/(\d+)\)", r"_s\1", conv.name).replace("-", "_")


def convolution(conv, ndim):
    """The layer of a plan's `Conv`: `(B, C, *space) -> (B, C', *space')`."""
    # In one dimension the plan has a second axis, of size 1.
    rows = (row[:ndim] for row in (conv.kernel, conv.stride, conv.pad, conv.dilation))
    kernel, stride, pad, dilation = rows
    layer = CONVOLUTIONS[ndim](
        conv.in_channels,
        conv.out_channels,
        kernel,
        stride,
        pad,
        dilation,
        groups=conv.groups,
        bias=conv.bias,
    )
    return _he_normal(layer)


def pointwise(conv, ndim):
    """A 1x1 convolution of a unit, whatever the plan's axes, for `ndim` of them."""
    return _he_normal(CONVOLUTIONS[ndim](conv.in_channels, conv.out_channels, 1, bias=conv.bias))


def _he_normal(layer):
    nn.init.kaiming_normal_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def dense(channels, out_channels):
    """A dense layer with bias, `(B, channels) -> (B, out_channels)`."""
    layer = nn.Linear(channels, out_channels)
    nn.init.uniform_(layer.weight, -0.07, 0.07)  # Gluon's default
    nn.init.zeros_(layer.bias)
    return layer


def pixel_classifier(channels, classes):
    """1x1 convolution `(B, channels, H, W) -> (B, classes, H, W)`, which starts as `dense`."""
    layer = nn.Conv2d(channels, classes, 1)
    nn.init.uniform_(layer.weight, -0.07, 0.07)
    nn.init.zeros_(layer.bias)
    return layer


def norm(channels, ndim, row):
    """BatchNorm of a unit or spec `row`, whose momentum is what a step keeps, not what it adds."""
    return NORMS[ndim](channels, eps=row.eps, momentum=1 - row.momentum)


def max_pool(pool, ndim):
    """The layer of a plan's `Pool`."""
    return MAX_POOLS[ndim](*(row[:ndim] for row in (pool.kernel, pool.stride, pool.pad)))


class Norm(nn.Module):
    """BatchNorm, then ReLU where `relu`: `(B, C, *space)` in and out."""

    def __init__(self, channels, ndim, row, relu=True):
        super().__init__()
        self.bn = norm(channels, ndim, row)
        self.relu = relu

    def forward(self, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        x = self.bn(x)
        return F.relu(x, inplace=True) if self.relu else x


class PreActConv(nn.Module):
    """BatchNorm, ReLU, convolution (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    def __init__(self, conv, ndim, row):
        super().__init__()
        self.bn = norm(conv.in_channels, ndim, row)
        self.conv = convolution(conv, ndim)

    def forward(self, x):
        """`(B, C, *space) -> (B, C', *space')`."""
        return self.conv(F.relu(self.bn(x), inplace=True))


class ConvNorm(nn.Module):
    """Convolution, BatchNorm, ReLU: `(B, C, *space) -> (B, C', *space')`."""

    def __init__(self, conv, ndim, row):
        super().__init__()
        self.conv = convolution(conv, ndim)
        self.bn = norm(conv.out_channels, ndim, row)

    def forward(self, x):
        """`(B, C, *space) -> (B, C', *space')`."""
        return F.relu(self.bn(self.conv(x)), inplace=True)
