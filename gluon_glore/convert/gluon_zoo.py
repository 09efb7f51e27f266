"""The pre-activation ResNets of MXNet's and GluonCV's model zoos, from a file of parameters alone.

Such a file has no graph. Where its parameters have the names and shapes of `resnet18_v2` to
`resnet152_v2`, the graph is that of MXNet's network, which GluonCV's is too; it is written beside
the parameters, and from there the two are a release like any other.
"""

import os
from pathlib import Path

import mxnet as mx
from mxnet.gluon.model_zoo import vision

from ..utils.errors import InputError
from ..weights.names import by_name
from ..weights.origin import DEPTHS, origin_of
from ..weights.parameters import save_arrays, with_kinds
from ..weights.params_file import read_params

NOTE = (
    "the file had no symbol: its names and shapes are those of {0}, so its graph is taken to be "
    "that of MXNet's own {0}"
)


def write_release(params, directory, symbol_name):
    """Write the symbol and the parameters of a file of parameters alone to a folder.

    `symbol_name` is the file that would have been the symbol, had it lain beside it.

    Returns (symbol file, parameter file, a line that says what was taken for granted). Raises
    InputError where the file is damaged, or of no pre-activation ResNet of MXNet's or GluonCV's,
    saying what it looks like.
    """
    arrays = read_params(params)
    depth = DEPTHS.get(sum(array.ndim == 4 for array in arrays.values()))
    dense = [array for array in arrays.values() if array.ndim == 2]
    if depth is None or len(dense) != 1:
        raise _refusal(params, arrays, symbol_name)
    # A prefix, for without one MXNet counts on from the layers of other networks.
    network = vision.get_resnet(2, depth, classes=len(dense[0]), prefix="zoo_")
    own = {name: param.shape for name, param in network.collect_params().items()}
    arrays = by_name({name: mx.nd.array(a, dtype=a.dtype) for name, a in arrays.items()}, network)
    if arrays.keys() != own.keys() or not all(_fits(arrays[name], own[name]) for name in own):
        raise _refusal(params, arrays, symbol_name)
    symbol, copy = Path(directory) / "symbol.json", Path(directory) / "weights.params"
    network(mx.sym.var("data")).save(os.fspath(symbol))
    save_arrays(copy, with_kinds(arrays))
    return symbol, copy, NOTE.format(f"resnet{depth}_v2")


def _fits(array, shape):
    """Whether an array has a parameter's shape, in which 0 is a size that MXNet has not yet."""
    return len(array.shape) == len(shape) and all(n in (0, m) for m, n in zip(array.shape, shape))


def _refusal(params, arrays, symbol_name):
    """What is raised of a file that is none of these networks'."""
    origin = origin_of(arrays)
    looks = f", it looks like {origin}" if origin else ""
    return InputError(f"{params}: parameters alone{looks}; {symbol_name} is needed beside them")
