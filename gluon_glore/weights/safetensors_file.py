"""safetensors, the format in which PyTorch's networks are shared: read and written without PyTorch.

A file is a length, a header of JSON and the numbers (https://github.com/huggingface/safetensors).
Nothing in it can be code. The library checks that every tensor lies in the file, none over another.
"""

import numpy as np
import safetensors

from ..utils.errors import InputError, naming
from ..utils.files import LARGEST_TEXT, atomic_path, open_file
from ..utils.json_text import parse_json

SUFFIX = ".safetensors"
LARGEST = 2**32  # bytes of a file: a billion parameters
_LARGEST_HEADER = 2**23  # bytes; a network of a thousand parameters has a hundred thousand
_LONGEST = 1000  # letters of a name
_TYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"},
    **{"I64": "<i8", "I32": "<i4", "I8": "i1", "U8": "u1"},
}


def read_safetensors(path):
    """`{name: numpy array}` of a file.

    Tensors of bfloat16, which numpy has not, become float32, which has all their values. Raises
    InputError where the file is missing, damaged, or has values that are not finite.
    """
    with open_file(path, LARGEST) as file:
        data = file.read()
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(_LARGEST_HEADER, len(data) - 8):
        raise InputError(f"{path}: not a safetensors file, or one that was cut")
    try:
        tensors = safetensors.deserialize(data)
        arrays = {name: _array(name, tensor) for name, tensor in tensors}
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (safetensors.SafetensorError, ValueError, LookupError, TypeError, AttributeError):
        raise InputError(f"{path}: a damaged safetensors file") from None
    if not arrays:
        raise InputError(f"{path}: holds no parameters")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name} has values that are not finite")
    return arrays


def read_metadata(path, key):
    """The text that a file's metadata has under a key, "" where it has none.

    No tensor is read. Raises InputError where the file is missing or damaged.
    """
    with open_file(path, LARGEST) as file:
        size = int.from_bytes(file.read(8), "little")
        header = file.read(min(size, _LARGEST_HEADER + 1))
    try:
        if len(header) != size:
            raise ValueError("cut, or too large")
        text = (parse_json(header.decode()).get("__metadata__") or {}).get(key, "")
        if not isinstance(text, str) or len(text) > LARGEST_TEXT:
            raise TypeError("no text")
        return text
    except (InputError, ValueError, TypeError, AttributeError):
        raise InputError(f"{path}: a damaged safetensors file") from None


def _array(name, tensor):
    """One tensor of the library's as a numpy array. Raises InputError where it can't be one."""
    if not name.isprintable() or not 0 < len(name) <= _LONGEST:
        raise InputError(f"a name that is no text: {name[:40]!r}")
    if tensor["dtype"] not in _TYPES:
        raise InputError(f"{name} is of type {tensor['dtype']}, those read are {', '.join(_TYPES)}")
    array = np.frombuffer(tensor["data"], _TYPES[tensor["dtype"]]).reshape(tensor["shape"])
    if tensor["dtype"] == "BF16":  # the upper half of a float32
        return (array.astype("<u4") << 16).view("<f4")
    return array


def write_safetensors(path, arrays, metadata=None):
    """Write `{name: numpy array}` and `{key: text}`, the whole file or none.

    Raises InputError where the disk does not take it.
    """
    from safetensors.numpy import save

    arrays = {name: np.array(array, order="C") for name, array in arrays.items()}
    data = save(arrays, metadata)
    with naming(path), atomic_path(path) as temporary:
        temporary.write_bytes(data)
