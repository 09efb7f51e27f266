"""The head that makes a network label every pixel: its layers, and logits at the input's size.

`plan/head.py` has its units and widths.
"""

import torch.nn.functional as F
from torch import nn

from ..plan.units import norm_of
from .glore import GloRe
from .layers import ConvNorm, norm


class Head(nn.Sequential):
    """The units between tail and classifier: `(B, C, h, w) -> (B, channels, h, w)`."""

    def __init__(self, spec):
        super().__init__()
        for unit in spec.head_plan():
            name = unit.name[len("head_") :]
            own = ConvNorm(unit.conv, 2, unit) if unit.kind == "conv" else GloRe.from_unit(unit)
            self.add_module(name, own)


class AuxiliaryHead(nn.Module):
    """A small head behind a stage of a `NetSpec`: `(B, C, h, w)` -> `(B, classes, h, w)`.

    Its `classifier` is put in by the network: a 1x1 convolution of its `channels`.
    """

    def __init__(self, spec):
        super().__init__()
        channels = spec.stage_channels(spec.head.auxiliary)
        unit = spec.head.auxiliary_unit(channels, norm_of(spec))
        self.bn = norm(channels, 2, spec)
        self.conv1 = ConvNorm(unit.conv, 2, unit)
        self.dropout = nn.Dropout(spec.dropout)
        self.classifier = None
        self.channels = unit.out_channels

    def forward(self, x):
        """`(B, C, h, w) -> (B, classes, h, w)`."""
        x = self.conv1(F.relu(self.bn(x), inplace=True))
        return self.classifier(self.dropout(x))


def upsample(x, size, stride):
    """Bilinear interpolation of locations `stride` pixels apart: `(B, C, h, w) -> (B, C, *size)`.

    Location i of x is that of pixel `i * stride`, as it is for convolutions that are padded by half
    their kernel. Pixels behind the last location have its value.
    """
    between = [(n - 1) * step + 1 for n, step in zip(x.shape[2:], stride)]
    x = F.interpolate(x, between, mode="bilinear", align_corners=True)
    below, right = (n - inside for n, inside in zip(size, between))
    return F.pad(x, (0, right, 0, below), mode="replicate")
