"""The pre-activation ResNet of MXNet's own image classification example, written from its layout.

A BatchNorm of the pixels with fixed gamma stands before the stem, the stride is on the 3x3, a
shortcut reads what the first convolution of its unit reads, and eps is 2e-5.
"""

import mxnet as mx
import numpy as np


def symbol(blocks, widths, classes, bottleneck=True, stride_on=1):
    """`resnet-50` is `symbol((3, 4, 6, 3), (64, 256, 512, 1024, 2048), 1000)`.

    `stride_on` is the place of the convolution with the stride.
    """
    x = _norm(mx.sym.identity(mx.sym.var("data"), name="id"), "bn_data", fix_gamma=True)
    x = _conv(x, widths[0], 7, 2, "conv0")
    x = _relu(_norm(x, "bn0"), "relu0")
    x = mx.sym.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max", name="pool0")
    for stage, (count, width) in enumerate(zip(blocks, widths[1:]), start=1):
        for unit in range(1, count + 1):
            stride = 2 if stage > 1 and unit == 1 else 1
            name = f"stage{stage}_unit{unit}"
            x = _unit(x, width, stride, unit > 1, name, bottleneck, stride_on)
    x = _relu(_norm(x, "bn1"), "relu1")
    x = mx.sym.Pooling(x, global_pool=True, kernel=(7, 7), pool_type="avg", name="pool1")
    x = mx.sym.FullyConnected(mx.sym.Flatten(x), num_hidden=classes, name="fc1")
    return mx.sym.SoftmaxOutput(x, name="softmax")


def _unit(x, width, stride, same, name, bottleneck, stride_on):
    first = y = _relu(_norm(x, f"{name}_bn1"), f"{name}_relu1")
    widths = (width // 4, width // 4, width) if bottleneck else (width, width)
    kernels = (1, 3, 1) if bottleneck else (3, 3)
    for i, (channels, kernel) in enumerate(zip(widths, kernels)):
        if i:
            y = _relu(_norm(y, f"{name}_bn{i + 1}"), f"{name}_relu{i + 1}")
        y = _conv(y, channels, kernel, stride if i == stride_on else 1, f"{name}_conv{i + 1}")
    shortcut = x if same else _conv(first, width, 1, stride, f"{name}_sc")
    return y + shortcut


def _conv(x, width, kernel, stride, name):
    kernel, stride, pad = (kernel,) * 2, (stride,) * 2, (kernel // 2,) * 2
    options = {"kernel": kernel, "stride": stride, "pad": pad, "no_bias": True, "workspace": 256}
    return mx.sym.Convolution(x, num_filter=width, name=name, **options)


def _norm(x, name, fix_gamma=False):
    return mx.sym.BatchNorm(x, fix_gamma=fix_gamma, eps=2e-5, momentum=0.9, name=name)


def _relu(x, name):
    return mx.sym.Activation(x, act_type="relu", name=name)


def random_arrays(graph, size):
    """Random weights of a symbol for pictures of `size` pixels, statistics of about one."""
    rng = np.random.RandomState(0)
    shapes, _, statistics = graph.infer_shape(data=(1, 3, size, size))
    arrays = {}
    for name, shape in zip(graph.list_arguments(), shapes):
        if name not in ("data", "softmax_label"):
            scale = np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 0.3
            offset = 1 if name.endswith("gamma") else 0
            arrays[f"arg:{name}"] = rng.normal(offset, scale, shape).astype("float32")
    for name, shape in zip(graph.list_auxiliary_states(), statistics):
        low, high = (0.5, 1.5) if name.endswith("var") else (-0.3, 0.3)
        arrays[f"aux:{name}"] = rng.uniform(low, high, shape).astype("float32")
    return arrays
