"""A file of a network's parameters, whichever spelling wrote it."""

import os
from pathlib import Path

from ..pytorch.names import our_name
from ..utils.errors import InputError
from .params_file import read_params
from .pytorch_file import SUFFIXES, read_state
from .safetensors_file import SUFFIX, read_safetensors

OF_PYTORCH = (SUFFIX, *SUFFIXES)
_COUNTER = "num_batches_tracked"  # of PyTorch's BatchNorms, which MXNet has not


def read_arrays(path):
    """`{name: numpy array}` of a file of MXNet's, or of PyTorch's by our names, told by its ending.

    PyTorch's names become ours as `from_pytorch` says. Raises InputError where the file is missing,
    damaged, or neither.
    """
    if Path(path).suffix not in OF_PYTORCH:
        return read_params(path)
    state = read_state_dict(path)
    try:
        return from_pytorch(state)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def read_state_dict(path):
    """`{PyTorch's name: numpy array}` of a file of safetensors, or else of PyTorch's own.

    Raises InputError as `read_safetensors` and `read_state` do.
    """
    return read_safetensors(path) if Path(path).suffix == SUFFIX else read_state(path)


def from_pytorch(arrays):
    """Arrays of a state dict by our names; those of no layer of ours keep their name.

    What all names begin with, as "module.", is left out, and so are `num_batches_tracked`. Shapes
    are PyTorch's, which has fewer or more axes of size 1 behind. Raises InputError where two have
    one name.
    """
    arrays = {name: array for name, array in arrays.items() if not name.endswith(_COUNTER)}
    shared = os.path.commonprefix(list(arrays)) if len(arrays) > 1 else ""
    ends = [0, *(place for place, letter in enumerate(shared, start=1) if letter == ".")]
    begin = max(ends, key=lambda end: sum(_ours(name[end:]) is not None for name in arrays))
    found = {}
    for name, array in arrays.items():
        ours = _ours(name[begin:]) or name[begin:]
        if ours in found:
            raise InputError(f"two arrays are called {ours}, in one spelling or another")
        found[ours] = array
    return found


def _ours(name):
    """Our name of a parameter of PyTorch's, None where no layer of ours has it."""
    try:
        return our_name(name)
    except InputError:
        return None
