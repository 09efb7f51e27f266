"""Weights of a 2-D network in the 3-D one: kernels repeated along time.

Carreira and Zisserman, CVPR 2017, section 2.1 "Bootstrapping parameters from pre-trained ImageNet
models" (https://arxiv.org/abs/1705.07750): a kernel is repeated along time and divided by its
temporal length, so that a frame repeated along time gives what the frame gives.
"""

import mxnet as mx
from mxnet.gluon import Block

from .errors import InputError
from .network import Network
from .weights import fit_as_is, is_initialized, load_arrays, named_arrays, plain_names, set_weights


def inflate_weights(net, source, *, allow_missing=False, skip_classifier=False):
    """Fill a 3-D `Network` with the weights of a 2-D one, all of it or nothing.

    Convolution weights `(O, I, H, W)` become `(O, I, T, H, W)`: repeated T times and divided by T.
    All others are copied. The 2-D network that fits is `Network(net.spec.flattened())`.

    A repeated frame then gives the values of the frame, but at the ends of the clip, where kernels
    see padding, and behind GloRe units without `normalize`, which sum over more locations.

    Call it before the first forward: MXNet's CPU build can't overwrite the weights of a network
    that has run.

    Parameters
    ----------
    net : the 3-D network, initialised where the options let parameters keep their values.
    source : a parameter file, or a 2-D `Network` or another Block with its parameter names.
    allow_missing : parameters that the source lacks keep their values, as of units that the 2-D
        network has not.
    skip_classifier : the classifier keeps its values, whether the source has one or not: Kinetics
        has other classes than ImageNet.

    Returns the names of the parameters that kept their values, in the network's order. Raises
    InputError naming the parameters that differ, or one that is to keep its values and has none.
    """
    if not isinstance(net, Network) or net.spec.ndim != 3:
        raise InputError(f"inflate_weights fills a Network of 3 dimensions, given {_title(net)}")
    title, place, arrays = _read(source)
    for name, array in arrays.items():
        if array.ndim == 5:
            raise InputError(f"{title}: not a 2-D network's weights, {name} is {array.shape}")

    params = net.collect_params()
    own = set()
    if skip_classifier:
        own.update(net.output.collect_params())
        arrays = {name: array for name, array in arrays.items() if name not in own}
    if allow_missing:
        own.update(name for name in params if name not in arrays)
    kept = [name for name in params if name in own]
    for name in kept:
        if not is_initialized(params[name]):
            raise InputError(f"{name} is to keep its values but has none: initialize the network")
    filled = {name: param for name, param in params.items() if name not in own}
    set_weights(filled, arrays, title, place, fit=_inflate)
    return kept


def _read(source):
    """A file's or block's title and place in messages, and its arrays by full name."""
    if not isinstance(source, Block):
        return source, "the file", load_arrays(source)
    for name, param in source.collect_params().items():
        if not is_initialized(param):
            raise InputError(f"{_title(source)}: {name} has no values to inflate")
    return _title(source), "the source", plain_names(named_arrays(source))


def _title(block):
    if not isinstance(block, Network):
        return f"a {type(block).__name__}"
    return f"{block.spec.name or 'a Network'} of {block.spec.ndim} dimensions"


def _inflate(array, shape):
    if len(shape) != 5:
        return fit_as_is(array, shape)
    frame = fit_as_is(array, shape[:2] + shape[3:])
    if frame is None:
        return None
    return mx.nd.broadcast_to(frame.expand_dims(axis=2), shape) / shape[2]
