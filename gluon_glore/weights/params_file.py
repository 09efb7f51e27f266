"""MXNet's .params files without MXNet: a reader that trusts no byte of them, and a writer.

By hand, for the only other reader is MXNet's own, and that believes the lengths in a file: a
damaged one can end the process, or load silently. The layout is that of `NDArray::Save` and
`NDArray::Load` (src/ndarray/ndarray.cc), of all releases from the first to 1.9.1; little-endian:

    list    uint64 0x112, uint64 0, uint64 count, arrays; uint64 count, names
    name    uint64 length, bytes
    array   head and shape by generation; device int32 kind, int32 number; int32 type; values

    generation      head                                shape
    first           -                                   uint32 ndim, uint32 dims
    V1 0xF993FAC8   uint32 magic                        uint32 ndim, int64 dims
    V2 0xF993FAC9   uint32 magic, int32 storage         int32 ndim, int64 dims
    V3 0xF993FACA   as V2; no dims are one value, in V2 they are an array without any

V2 is what MXNet 1.9.1 writes, and what is written here: the same bytes.
"""

import math
import os
import shutil
import struct
from pathlib import Path

import numpy as np

from ..utils.errors import InputError, naming
from ..utils.files import absent, atomic_path
from .first_bytes import HEAD, looks_like

MAGIC = struct.pack("<Q", 0x112)
_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
# MXNet has bool (7) and bfloat16 (12) too; no parameter is the one, numpy has not the other.
_TYPES = ("<f4", "<f8", "<f2", "u1", "<i4", "i1", "<i8")
_DEVICES = (1, 2, 3, 5)  # CPU, GPU, pinned, shared; any other says that bytes are lost
_MAX_NDIM = 8
_MAX_NAME = 1000  # bytes


class _Damaged(Exception):
    """What is wrong with a file's bytes."""


def read_params(path) -> dict:
    """The arrays of a .params file, `{name: numpy array}`, names with their `arg:` and `aux:`.

    Each array has memory of its own, so the file may go or change afterwards. The format has no
    checksum: a changed value, letter of a name or type of the same width is noticed
    only where it makes no sense.

    Raises InputError where the file is missing, not a parameter file, damaged, without names, or
    has values that are not finite.
    """
    path = Path(path)
    with naming(path):
        if not path.is_file():
            raise InputError(f"{path}: {absent(path, 'parameter file')}")
        with open(path, "rb") as file:
            head = file.read(HEAD)
            if not head.startswith(MAGIC):
                looks = looks_like(head)
                looks = f", it looks like {looks}" if looks else ""
                raise InputError(f"{path}: not an MXNet parameter file{looks}")
            file.seek(len(MAGIC))
            try:
                arrays = _read_list(_Bytes(file))
            except _Damaged as reason:
                raise InputError(f"{path}: damaged parameter file ({reason})") from None
    if not arrays:
        raise InputError(f"{path}: holds arrays without names, not parameters")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise InputError(f"{path}: {name} has values that are not finite")
    return arrays


def write_params(path, arrays):
    """Write `{name: numpy array}` to a .params file, the whole file or none.

    Raises InputError where the disk does not take it, or an array is of a type that no such file
    has, or has no axes.
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        try:
            with open(temporary, "wb") as file:
                file.write(MAGIC + struct.pack("<QQ", 0, len(arrays)))
                for name, array in arrays.items():
                    _write_array(file, name, array)
                file.write(struct.pack("<Q", len(arrays)))
                for name in map(str.encode, arrays):
                    file.write(struct.pack("<Q", len(name)) + name)
        except OSError as error:
            free = shutil.disk_usage(path.parent).free / 2**20
            raise InputError(
                f"{path}: could not be written, {free:.1f} MiB are free there ({error.strerror})"
            ) from None


def _write_array(file, name, array):
    """Write one array as the second generation has it, of a CPU."""
    types = [np.dtype(known) for known in _TYPES]
    if array.dtype not in types or not array.ndim:
        known = ", ".join(dtype.name for dtype in types)
        raise InputError(
            f"{name} is {array.dtype} of {array.ndim} axes, written are {known} of some"
        )
    shape = struct.pack(f"<{array.ndim}q", *array.shape)
    kind = types.index(array.dtype)
    file.write(struct.pack("<Iii", _V2, 0, array.ndim) + shape)
    file.write(struct.pack("<iii", _DEVICES[0], 0, kind))
    file.write(memoryview(np.ascontiguousarray(array, types[kind])).cast("B"))


class _Bytes:
    """What follows in a file, read in order. No more is allocated than the file has bytes left."""

    def __init__(self, file):
        self._file = file
        self._left = os.fstat(file.fileno()).st_size - file.tell()

    def at_end(self):
        return not self._left

    def unpack(self, layout):
        """Numbers as in `struct`."""
        return struct.unpack(f"<{layout}", self.bytes(struct.calcsize(f"<{layout}")))

    def bytes(self, count):
        self._take(count)
        data = self._file.read(count)
        self._check_whole(len(data), count)
        return data

    def array(self, shape, dtype):
        count = math.prod(shape) * dtype.itemsize  # python's integers: it can't overflow
        self._take(count)
        array = np.empty(shape, dtype)
        self._check_whole(self._file.readinto(array.reshape(-1).view("u1")), count)
        return array

    def _take(self, count):
        if count > self._left:
            raise _Damaged(f"{count} bytes are to follow, {self._left} are left")
        self._left -= count

    @staticmethod
    def _check_whole(got, count):
        if got != count:
            raise _Damaged("it became shorter while it was read")


def _read_list(source):
    """`{name: array}` of all that follows the magic number, empty where it has no names."""
    reserved, count = source.unpack("QQ")
    if reserved:
        raise _Damaged(f"its second number is {reserved}, not 0")
    arrays = []
    while len(arrays) < count:
        try:
            arrays.append(_read_array(source))
        except _Damaged as reason:
            raise _Damaged(f"array {len(arrays) + 1} of {count}: {reason}") from None
    (names,) = source.unpack("Q")
    if names not in (0, count):
        raise _Damaged(f"{count} arrays, {names} names")
    named = {}
    for array in arrays[:names]:
        name = _read_name(source)
        if name in named:
            raise _Damaged(f"two arrays are called {name}")
        named[name] = array
    if not source.at_end():
        raise _Damaged("more bytes follow its end")
    return named


def _read_array(source):
    (magic,) = source.unpack("I")
    if magic in (_V2, _V3):
        storage, ndim = source.unpack("ii")
        if storage:
            raise _Damaged(f"storage of kind {storage}, only dense (0) is read")
    elif magic == _V1:
        (ndim,) = source.unpack("I")
    else:
        ndim = magic  # the first generation begins with the shape
    if not 0 <= ndim <= _MAX_NDIM:
        raise _Damaged(f"{ndim} axes, at most {_MAX_NDIM} are allowed")
    shape = source.unpack(f"{ndim}{'q' if magic in (_V1, _V2, _V3) else 'I'}")
    if any(size < 1 for size in shape) or (ndim == 0 and magic != _V3):
        raise _Damaged(f"no values, its shape is {shape}")
    device, _, kind = source.unpack("iii")
    if device not in _DEVICES:
        raise _Damaged(f"saved from a device of kind {device}, there are {_DEVICES}")
    if not 0 <= kind < len(_TYPES):
        what = {7: " (bool)", 12: " (bfloat16)"}.get(kind, "")
        known = ", ".join(np.dtype(name).name for name in _TYPES)
        raise _Damaged(f"values of type {kind}{what}, those read are {known}")
    return source.array(shape, np.dtype(_TYPES[kind]))


def _read_name(source):
    (length,) = source.unpack("Q")
    if not 1 <= length <= _MAX_NAME:
        raise _Damaged(f"a name of {length} bytes, 1 to {_MAX_NAME} are allowed")
    data = source.bytes(length)
    try:
        name = data.decode("utf-8")
    except UnicodeDecodeError:
        name = ""
    if not name.isprintable() or not name:
        raise _Damaged(f"a name that is no text: {data[:40]!r}")
    return name
