"""A network that is none of this package's, with and without a unit, as people write them."""

import contextlib

import mxnet as mx
from mxnet.gluon import HybridBlock, nn

from gluon_glore import GloRe


class Followed(nn.Conv2D):
    """A convolution that runs the unit "glore" behind itself."""

    def _alias(self):
        return "conv"  # its parameters are called as those of the layer without a unit

    def hybrid_forward(self, F, x, weight, bias=None):
        return self.glore(super().hybrid_forward(F, x, weight, bias))


class Foreign(HybridBlock):
    """Pictures `(B, C, H, W) -> (B, classes)`; its layers are not told their input channels.

    Not `scoped`, names of its parameters count on from one instance to the next. A `unit` is the
    child "glore" of the layer that it follows, as `insert_units` adds it.
    """

    def __init__(self, classes=3, unit=False, scoped=True, width=8):
        super().__init__()
        with self.name_scope() if scoped else contextlib.nullcontext():
            self.conv1 = nn.Conv2D(width, 3)
            self.norm = nn.BatchNorm()
            self.layer1 = nn.HybridSequential()
            for layer in (Followed if unit else nn.Conv2D, nn.Conv2D):
                self.layer1.add(layer(width, 3, padding=1))
            self.fc = nn.Dense(classes)
        if unit:
            self.layer1[0].glore = GloRe(width, 2, prefix=f"{self.prefix}layer1_0_glore_")

    def hybrid_forward(self, F, x):
        return self.fc(self.layer1(self.norm(self.conv1(x))))


INPUT = (2, 3, 8, 8)


def foreign(**options):
    """A `Foreign` that has seen an input, so that its parameters have values."""
    net = Foreign(**options)
    net.initialize(mx.init.Normal(0.5))
    net(mx.nd.random.normal(shape=INPUT))
    return net


def by_place(net):
    """The values of a network's parameters by their places."""
    places = net._collect_params_with_prefix()
    return {place: param.data().asnumpy() for place, param in places.items()}
