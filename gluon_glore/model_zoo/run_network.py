"""A network as a function of numpy arrays, on MXNet where that is installed, else on PyTorch."""

from ..plan.parameters import parameter_shapes
from ..utils.cpu import bound_caches
from ..utils.extras import installed, require
from ..weights.fit import fit_all
from ..weights.names import by_name_of
from ..weights.network_file import read_arrays
from .network_weights import Filling


def network_function(spec, classes, params, fast=False):
    """The network of a spec with the parameters of a file: a float32 batch -> logits, numpy both.

    `fast` is for many batches: hybridised, and on a GPU where there is one. Raises InputError where
    the file is damaged or another network's, or neither MXNet nor PyTorch is installed.
    """
    arrays = by_name_of(read_arrays(params), spec)
    arrays = fit_all(parameter_shapes(spec, classes), arrays, params)
    return as_function(Filling(spec, classes, arrays, source=params), fast)


def as_function(filling, fast=False):
    """The network that a `Filling` fills, as `network_function` says. Raises InputError as that."""
    if installed("mxnet"):
        return _on_mxnet(filling, fast)
    require("torch", "pytorch", "running a network without MXNet")
    return _on_pytorch(filling, fast)


def _on_mxnet(filling, fast):
    bound_caches()  # scenes have many sizes
    import mxnet as mx

    from .load import make_network

    ctx = mx.gpu() if fast and mx.context.num_gpus() else mx.cpu()
    net = make_network(filling, ctx)
    if fast:
        net.hybridize(static_alloc=True, static_shape=True)
    return lambda x: net(mx.nd.array(x, ctx=ctx)).asnumpy()


def _on_pytorch(filling, fast):
    import torch

    from .load_pytorch import make_network, numpy_function

    device = "cuda" if fast and torch.cuda.is_available() else "cpu"
    return numpy_function(make_network(filling, device))
