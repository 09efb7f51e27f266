"""GluonCV's networks with random weights: a row each, and where units go in it.

Twelve and more of pictures, three of pixels, three of videos. They are as small as their classes
allow, for a test that walks over all of them.

MXNet's CPU build does not train GluonCV's networks of videos with oneDNN, with units or without:
they train in a process whose MXNET_MKLDNN_ENABLED is 0.
"""

import os
from dataclasses import dataclass
from typing import Callable, Mapping, Sequence, Tuple, Union
from unittest import mock

import mxnet as mx
import numpy as np
from gluoncv import model_zoo
from gluoncv.model_zoo import segbase
from gluoncv.model_zoo.action_recognition.i3d_resnet import Bottleneck, I3D_ResNetV1
from gluoncv.model_zoo.action_recognition.r2plus1d import BasicBlock, R2Plus1D
from gluoncv.model_zoo.action_recognition.slowfast import SlowFast
from gluoncv.model_zoo.deeplabv3 import DeepLabV3
from gluoncv.model_zoo.densenet import DenseNet
from gluoncv.model_zoo.fcn import FCN
from gluoncv.model_zoo.pspnet import PSPNet
from gluoncv.model_zoo.resnetv1b import BottleneckV1b, ResNetV1b
from gluoncv.model_zoo.resnext import ResNext

from gluon_glore import insert_units
from tests.helpers.networks import relative_error

CLASSES = 5


@dataclass(frozen=True)
class GluonCVNetwork:
    """`construct()` is the network without values; `shape` is an input that it takes.

    `after` is what `insert_units` is given, and `places` are the blocks that this means, by path.
    `task` is "classify", "segment" or "recognize".
    """

    construct: Callable
    after: Union[str, Mapping, Sequence]
    places: Tuple[str, ...]
    shape: Tuple[int, ...] = (2, 3, 64, 64)
    task: str = "classify"

    @property
    def trains(self):
        """Whether it trains in this process."""
        return len(self.shape) < 5 or os.environ.get("MXNET_MKLDNN_ENABLED") == "0"

    def make(self):
        """The network, its weights random and of the size that keeps a signal's."""
        net = self.construct()
        net.initialize(HeUniform(), force_reinit=True)
        return net

    def batch(self, seed=0):
        """An input of random numbers."""
        numbers = np.random.default_rng(seed).normal(size=self.shape)
        return mx.nd.array(numbers.astype(np.float32))


class HeUniform(mx.init.Initializer):
    """He-uniform weights drawn by numpy: MXNet takes seconds for a large network."""

    _rng = np.random.default_rng(0)

    def _init_weight(self, _, arr):
        bound = np.sqrt(6 / np.prod(arr.shape[1:]), dtype=np.float32)
        arr[:] = mx.nd.array(bound * (2 * self._rng.random(arr.shape, np.float32) - 1))


class SmallI3D(I3D_ResNetV1):
    """I3D on a ResNet of fewer blocks."""

    arch_settings = {50: (Bottleneck, (1, 1, 2, 1))}


def first_output(output):
    """The logits of a network that may give an auxiliary head's, too."""
    return output[0] if isinstance(output, (tuple, list)) else output


def _named(name):
    return lambda: model_zoo.get_model(name, classes=CLASSES, pretrained=False)


def _shallow(_, pretrained, **options):
    """The base of a network of pixels, of fewer blocks than a ResNet-50."""
    return ResNetV1b(BottleneckV1b, [1, 1, 2, 1], deep_stem=True, stem_width=64, **options)


def _pixels(kind, after, places):
    def construct():
        with mock.patch.object(segbase, "get_backbone", _shallow):
            return kind(CLASSES, crop_size=32, pretrained_base=False)

    return GluonCVNetwork(construct, after, places, shape=(1, 3, 32, 32), task="segment")


def _video(construct, after, places, frames, size=32):
    return GluonCVNetwork(construct, after, places, (1, 3, frames, size, size), "recognize")


NETWORKS = {
    "resnet18_v1b": GluonCVNetwork(
        _named("resnet18_v1b"), {"layer3": (1, 2)}, ("layer3.0", "layer3.1")
    ),
    "resnet50_v1d": GluonCVNetwork(
        _named("resnet50_v1d"), {"res3": (4,), "res4": (3,)}, ("layer2.3", "layer3.2")
    ),
    "resnest14": GluonCVNetwork(_named("resnest14"), {"res3": (1,)}, ("layer2.0",)),
    "resnet18_v1": GluonCVNetwork(
        _named("resnet18_v1"), {"res3": (1,), "res4": (2,)}, ("features.5.0", "features.6.1")
    ),
    "resnet18_v2": GluonCVNetwork(
        _named("resnet18_v2"), {"features.7": (1, 2)}, ("features.7.0", "features.7.1")
    ),
    "se_resnet18_v1": GluonCVNetwork(_named("se_resnet18_v1"), {"res4": (1,)}, ("features.6.0",)),
    "resnext": GluonCVNetwork(  # resnext50_32x4d is of 3, 4, 6 and 3 blocks
        lambda: ResNext([1, 1, 2, 1], 32, 4, classes=CLASSES),
        ["features.6.0", "features.6.1"],
        ("features.6.0", "features.6.1"),
    ),
    "cifar_resnet20_v1": GluonCVNetwork(
        _named("cifar_resnet20_v1"), {"res3": (2,)}, ("features.3.1",), shape=(2, 3, 32, 32)
    ),
    "mobilenet0.25": GluonCVNetwork(
        _named("mobilenet0.25"), {"res4": (1, 6)}, ("features.38", "features.68")
    ),
    "mobilenetv2_0.25": GluonCVNetwork(
        _named("mobilenetv2_0.25"), {"res4": (7,)}, ("features.15",)
    ),
    "mobilenetv3_small": GluonCVNetwork(
        _named("mobilenetv3_small"), {"res3": (2,), "res4": (5,)}, ("features.5", "features.10")
    ),
    "densenet": GluonCVNetwork(
        lambda: DenseNet(32, 16, [2, 3, 3, 2], classes=CLASSES),  # densenet121, but narrow and flat
        {"res3": (1,), "res4": (3,)},
        ("features.6.0", "features.8.2"),
        shape=(2, 3, 224, 224),
    ),
    "fcn": _pixels(FCN, "layer4", ("layer4",)),
    "psp": _pixels(PSPNet, "res5", ("layer4",)),
    "deeplab": _pixels(DeepLabV3, {"res4": (2,)}, ("layer3.1",)),
    "i3d": _video(
        lambda: SmallI3D(CLASSES, 50, pretrained_base=False, out_indices=(3,)),
        {"res3": (1,), "res4": (2,)},
        ("res_layers.1.0", "res_layers.2.1"),
        frames=16,
    ),
    "slowfast": _video(
        lambda: SlowFast(CLASSES, layers=[1, 1, 2, 1], fast_frames=8, slow_frames=2, alpha=4),
        {"res4": (1, 2), "fast_res4": (2,)},
        ("fast_res4.1", "slow_res4.0", "slow_res4.1"),
        frames=10,
    ),
    "r2plus1d": _video(
        lambda: R2Plus1D(CLASSES, BasicBlock, [1, 1, 2, 1]),
        {"res3": (1,), "res4": (2,)},
        ("layer2.0", "layer3.1"),
        frames=4,
        size=24,
    ),
}


def insert_and_train(row):
    """Units put into a network of a row that was hybridised and has run, and two steps of training.

    Returns the network, the units, how far they changed its output (relative to the largest), and
    for each step the largest gradient of each of their parameters. The first step is taken
    hybridised, the second is not. Where oneDNN can't train the network there are no steps.
    """
    net, x = row.make(), row.batch()
    net.hybridize(static_alloc=True)
    before = first_output(net(x)).asnumpy()
    units = insert_units(net, row.after, mid_channels=8)
    change = relative_error(first_output(net(x)).asnumpy(), before)
    steps = []
    if row.trains:
        for hybrid in (True, False):
            net.hybridize(hybrid, static_alloc=hybrid)
            steps.append(_train_step(net, units, x))
    return net, units, float(change), steps


def _train_step(net, units, x):
    with mx.autograd.record():
        y = first_output(net(x))
        loss = (y * mx.nd.array(np.random.default_rng(1).normal(size=y.shape))).sum()
    loss.backward()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 1e-3})
    trainer.step(1, ignore_stale_grad=True)  # of the auxiliary heads, which the loss leaves out
    return {
        name: float(param.grad().abs().max().asscalar())
        for unit in units
        for name, param in unit.block.collect_params().items()
        if param.grad_req != "null"
    }
