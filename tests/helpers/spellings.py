"""A network in Gluon and in PyTorch, of the same parameters."""

import mxnet as mx
import numpy as np
import torch
from mxnet import autograd

from benchmarks.networks import settle
from gluon_glore import Network
from gluon_glore.layers.fcn_head import WithAuxiliary
from gluon_glore.pytorch import Network as Twin
from gluon_glore.pytorch import from_mxnet, to_mxnet
from tests.helpers.networks import initialize, values

# Of weights behind which products overflow, and a softmax gives one location all the attention.
SMALLER = {"fc-2": 0.1, "conv-tail-res": 0.1, "conv-tail-den": 0.1, "nl-theta": 0.01}


def small_pixels(spec, batch=2):
    """A batch of inputs: small ones of networks of large pictures, the spec's own of others."""
    size = spec.input_size
    if max(size) > 66:
        size = (65, 97) if spec.head else (size[0], 48, 48) if spec.ndim == 3 else (64, 64)
    shape = (batch, spec.in_channels, *size)
    return np.random.RandomState(0).normal(size=shape).astype("float32")


def spread(net):
    """Give all parameters that start as a constant values of their own."""
    rng = np.random.RandomState(1)
    for name, param in net.collect_params().items():
        if name.endswith("gamma"):
            param.set_data(mx.nd.array(rng.uniform(0.5, 1.5, param.shape)))
        elif name.endswith(("beta", "bias")):
            param.set_data(mx.nd.array(rng.normal(0, 0.1, param.shape)))


def pair(spec, classes=None, x=None, smaller=SMALLER):
    """(Gluon's network, PyTorch's of the same parameters, pixels that the statistics fit)."""
    net = Network(spec, classes)
    initialize(net)
    spread(net)
    for name, scale in smaller.items():
        for param in net.collect_params(f".*_{name}__conv_weight").values():
            param.set_data(scale * param.data())
    x = small_pixels(spec) if x is None else x
    settle(net, mx.nd.array(x))
    for param in net.collect_params(".*running_var").values():  # else rounding is magnified
        param.set_data(param.data() + param.data().mean())
    twin = Twin(spec, classes)
    twin.load_state_dict(from_mxnet(values(net)))
    return net, twin.eval(), x


def outputs(net, twin, x):
    """What both give of `x` in evaluation."""
    with torch.inference_mode():
        return net(mx.nd.array(x, dtype=x.dtype)).asnumpy(), twin(torch.from_numpy(x)).numpy()


def gradients(net, twin, x):
    """The gradients of all parameters in both, `{name: array}`, of a weighted sum of outputs.

    Both compute in float64 from then on. An auxiliary head is trained, too.
    """
    net.cast("float64")
    twin.double().train()
    ours, theirs = net, twin
    if twin.spec.head and twin.spec.head.auxiliary:
        ours, theirs = WithAuxiliary(net), twin.with_auxiliary
    x = x.astype("float64")
    rng = np.random.RandomState(2)
    with autograd.record():
        given = ours(mx.nd.array(x, dtype="float64"))
        given = given if isinstance(given, tuple) else (given,)
        weights = [rng.normal(size=y.shape) for y in given]
        loss = sum((y * mx.nd.array(w, dtype="float64")).sum() for y, w in zip(given, weights))
    loss.backward()
    given = theirs(torch.from_numpy(x))
    given = given if isinstance(given, tuple) else (given,)
    sum((y * torch.from_numpy(w)).sum() for y, w in zip(given, weights)).backward()
    gradients = {
        name: param.grad().asnumpy()
        for name, param in net.collect_params().items()
        if param.grad_req != "null"
    }
    return gradients, to_mxnet({name: p.grad for name, p in twin.named_parameters()})
