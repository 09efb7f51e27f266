"""Parameters there and back: PyTorch's state dicts and arrays under MXNet's names.

Values are copied bit by bit. What differs are names (`names.py`) and axes of size 1: units' 1x1
kernels have two axes in MXNet, here as many as the network; and a network of one dimension has a
second axis in MXNet.
"""

from __future__ import annotations

from typing import Dict

import numpy as np
import torch

from ..plan.parameters import without_kind
from ..utils.errors import InputError
from .names import axes_behind, counts_batches, our_name, their_name


def to_mxnet(state_dict) -> Dict[str, np.ndarray]:
    """A state dict of a network of this package as `{MXNet's name: numpy array}`, copies.

    `num_batches_tracked` is left out. Tensors of bfloat16, which numpy has not, become float32.
    Raises InputError on a name of no layer, and on what is no dense tensor.
    """
    arrays = {
        name: _numpy(name, tensor)
        for name, tensor in state_dict.items()
        if not counts_batches(name)
    }
    return {our_name(name): _shaped_for_mxnet(name, array) for name, array in arrays.items()}


def from_mxnet(params, ndim=None) -> Dict[str, torch.Tensor]:
    """Parameters of a network as a state dict, copies: the inverse of `to_mxnet`.

    `params` are arrays of numpy or MXNet by MXNet's names, with or without `arg:` and `aux:`, as
    `mx.nd.load` gives those of a .params file. `ndim` is the network's; by default its kernels
    tell: they have five axes in three dimensions, and all end in 1 in one. Raises InputError on a
    name of no layer.
    """
    arrays = {their_name(without_kind(name)): _array(value) for name, value in params.items()}
    ndim = ndim or _ndim(arrays)
    return {
        name: torch.from_numpy(_shaped(name, array, ndim).copy()) for name, array in arrays.items()
    }


def _array(value):
    """An array of numpy or MXNet as numpy's."""
    return value.asnumpy() if hasattr(value, "asnumpy") else np.asarray(value)


def _numpy(name, tensor):
    """A tensor on any device as an array of its own. Raises InputError where it can't be one."""
    try:
        tensor = tensor.detach()
        tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        return np.array(tensor.cpu().numpy(), order="C")
    except (AttributeError, TypeError, RuntimeError):
        given = getattr(tensor, "dtype", type(tensor).__name__)
        raise InputError(f"{name[:80]} must be a dense tensor of numbers, given {given}") from None


def _ndim(arrays):
    """The dimensions of the network that has arrays of these names and shapes."""
    kernels = {a.shape[2:] for name, a in arrays.items() if axes_behind(name, 0) is None}
    if any(len(kernel) == 3 for kernel in kernels):
        return 3
    wide = {kernel for kernel in kernels if len(kernel) == 2 and kernel != (1, 1)}
    return 1 if wide and all(across == 1 for _, across in wide) else 2


def _shaped(name, array, ndim):
    """An array of MXNet's in the shape that it has in a network of `ndim` dimensions."""
    if array.ndim < 3:
        return array
    behind = axes_behind(name, ndim)
    if behind is not None:
        return array.reshape(*array.shape[:2], *(1,) * behind)
    return array[..., 0] if ndim == 1 else array


def _shaped_for_mxnet(name, array):
    """The inverse of `_shaped`."""
    if array.ndim < 3:
        return array
    if axes_behind(name, 0) is not None:
        return array.reshape(*array.shape[:2], 1, 1)
    return array[..., None] if array.ndim == 3 else array
