"""A file of a network's parameters, whichever spelling wrote it."""

from pathlib import Path

from ..pytorch.names import counts_batches, our_name
from ..utils.errors import InputError
from .names import distinct, shared_prefix
from .params_file import read_params
from .pytorch_file import SUFFIXES, read_state
from .safetensors_file import SUFFIX, read_safetensors

OF_PYTORCH = (SUFFIX, *SUFFIXES)


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
    arrays = {name: array for name, array in arrays.items() if not counts_batches(name)}
    begin = len(shared_prefix(arrays, lambda name: _ours(name) is not None))
    return distinct((_ours(name[begin:]) or name[begin:], a) for name, a in arrays.items())


def _ours(name):
    """Our name of a parameter of PyTorch's, None where no layer of ours has it."""
    try:
        return our_name(name)
    except InputError:
        return None
