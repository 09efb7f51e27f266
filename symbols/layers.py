"""BatchNorm, convolution and pooling in `mx.sym`, named as in `gluon_glore.layers.basic`.

A layer's `name` is its full one, with that of its unit, as "conv2_B01_conv-m1".
"""

import mxnet as mx

from gluon_glore.layers.frames import convolve_frames, sum_frames
from gluon_glore.layers.functional import flatten_locations, plain_copy, rectify
from gluon_glore.plan.units import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM


def norm(
    x,
    name,
    channels,
    axes=2,
    relu=True,
    eps=BATCH_NORM_EPS,
    momentum=BATCH_NORM_MOMENTUM,
):
    """BatchNorm, then ReLU where `relu`: `(B, channels, *space)` in and out."""
    x = plain_copy(mx.sym, x, axes)
    # mx.sym's own names would be moving_mean and moving_var.
    statistics = {
        key: mx.sym.var(f"{name}__bn_{key}", shape=(channels,))
        for key in ("gamma", "beta", "running_mean", "running_var")
    }
    x = mx.sym.BatchNorm(
        x,
        gamma=statistics["gamma"],
        beta=statistics["beta"],
        moving_mean=statistics["running_mean"],
        moving_var=statistics["running_var"],
        eps=eps,
        momentum=momentum,
        fix_gamma=False,
        name=f"{name}__bn",
    )
    if relu:
        x = rectify(mx.sym, x, name=f"{name}__ac")
    return plain_copy(mx.sym, x, axes)


def convolution(x, conv, name):
    """The convolution of a row of the plan: `(B, C, *space) -> (B, C', *space / stride)`."""
    if conv.frames:
        return _convolution_of_frames(x, conv, f"{name}__conv")
    return mx.sym.Convolution(
        x,
        num_filter=conv.out_channels,
        kernel=conv.kernel,
        stride=conv.stride,
        pad=conv.pad,
        dilate=conv.dilation,
        num_group=conv.groups,
        no_bias=not conv.bias,
        name=f"{name}__conv",
    )


def _convolution_of_frames(x, conv, name):
    """That of a clip with time in the batch axis: `(T·B, C, H, W) -> (T'·B, C', H', W')`."""
    # Its shape can't be inferred: the convolution reads the weight in another one.
    shape = (conv.out_channels, conv.in_channels // conv.groups, *conv.kernel)
    weight = mx.sym.var(f"{name}_weight", shape=shape)
    bias = mx.sym.var(f"{name}_bias") if conv.bias else None
    with mx.name.Prefix(f"{name}_"):
        return convolve_frames(mx.sym, x, weight, bias, conv)


def preact_convolution(x, conv, name, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM):
    """BatchNorm, ReLU, convolution."""
    x = norm(x, name, conv.in_channels, conv.axes, eps=eps, momentum=momentum)
    return convolution(x, conv, name)


def max_pool(x, pool, name):
    """The max pool of the stem: `(B, C, *space) -> (B, C, *space / stride)`."""
    return mx.sym.Pooling(
        x, pool_type="max", kernel=pool.kernel, stride=pool.stride, pad=pool.pad, name=name
    )


def global_average_pool(x, name, axes=2, frames=0):
    """The average over all locations: `(B, C, *space) -> (B, C)`.

    With `frames` T also over those: `(T·B, C, H, W) -> (B, C)`.
    """
    x = mx.sym.Pooling(
        flatten_locations(mx.sym, x, axes),
        global_pool=True,
        pool_type="avg",
        kernel=(1, 1),
        name=name,
    )
    if frames:
        x = sum_frames(mx.sym, x, frames) / frames
    return mx.sym.flatten(x)
