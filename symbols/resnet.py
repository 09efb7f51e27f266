"""Pre-activation ResNet, plain and with GloRe units, in `mx.sym`.

He et al., Identity Mappings in Deep Residual Networks, ECCV 2016
(https://arxiv.org/abs/1603.05027); the changes are those of the GloRe paper's released networks:
stride on the 3x3 convolution, BatchNorm eps 1e-4, no BatchNorm on the data. To reproduce a row of
the paper, train it with the config of configs/imagenet that names it.
"""

import mxnet as mx

import gluon_glore
from gluon_glore.errors import InputError
from gluon_glore.functional import flatten_locations

from .glore import glore
from .layers import convolution, global_average_pool, max_pool, norm, preact_convolution


def residual(x, unit):
    """Pre-activation residual unit; `unit` is a `ResidualUnit` of the plan."""
    shortcut = x
    if unit.shortcut:
        shortcut = preact_convolution(x, unit.shortcut, f"{unit.name}_{unit.shortcut.name}")
    for conv in unit.convs:
        x = preact_convolution(x, conv, f"{unit.name}_{conv.name}")
    return x + shortcut


SPELL = {"residual": residual, "glore": glore}


def get_symbol(num_classes=1000, model="resnet50_glore_2_3", image_shape=None):
    """The logits `(B, num_classes)` of a registered network, for Module, executors and deployment.

    `image_shape`, (channels, *pixels) or "3,224,224" as MXNet's own scripts pass it, is checked
    against the network; any number of pixels will do. Raises InputError where the name is unknown
    or the channels or dimensions are not the network's.
    """
    spec = gluon_glore.get_spec(model)
    if num_classes < 1:
        raise InputError(f"num_classes must be at least 1, given {num_classes}")
    if image_shape is not None:
        _check_image_shape(spec, image_shape)
    x = mx.sym.var("data")
    if spec.ndim == 1:
        x = flatten_locations(mx.sym, x)
    x = convolution(x, spec.stem_conv, "conv1")
    x = norm(x, "conv1", spec.stem.channels, spec.axes)
    if spec.stem_pool:
        x = max_pool(x, spec.stem_pool, "pool1")
    for unit in spec.plan():
        x = SPELL[unit.kind](x, unit)
    x = norm(x, "tail", spec.feature_channels, spec.axes)
    return mx.sym.FullyConnected(global_average_pool(x), num_hidden=num_classes, name="classifier")


def _check_image_shape(spec, image_shape):
    if isinstance(image_shape, str):
        image_shape = [int(n) for n in image_shape.split(",")]
    channels, *pixels = image_shape
    if channels != spec.in_channels or len(pixels) != spec.ndim:
        raise InputError(
            f"{spec.name} takes {spec.in_channels} channels of {spec.ndim} dimensions, "
            f"given image_shape {tuple(image_shape)}"
        )
