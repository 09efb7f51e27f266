"""Arrays as clients send them: in JSON, as bytes, in NumPy's format.

github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; Triton's
extension_binary_data.md; numpy.lib.format. Strangers write them. What they say of an array is held
to what they sent before memory is taken, and numbers are read block by block: what reads JSON holds
up all other threads of Python.
"""

import json
import math
import re
import struct
import time

import numpy as np

from ..utils.errors import InputError
from ..utils.json_text import parse_json

BYTES = "BYTES"
_NUMERIC = {"BOOL": "?", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8"}
_NUMERIC.update({f"UINT{8 * n}": f"<u{n}" for n in (1, 2, 4, 8)})
_NUMERIC.update({f"INT{8 * n}": f"<i{n}" for n in (1, 2, 4, 8)})
DTYPES = {name: np.dtype(code) for name, code in _NUMERIC.items()}
DATATYPES = (*DTYPES, BYTES)

_BLOCK = 2**14  # bytes of JSON that are read at once
_PAUSE = 1e-5  # seconds after each: other threads then need not wait for Python to take turns
_LONGEST = 1000  # bytes of a number with the spaces around it
_OF_NUMBERS = re.compile(rb"[ \t\r\n0-9.eE+\-,\[\]]*")
_NO_STRUCTURE = bytes(set(range(256)) - set(b"[],"))
# A number beside a list and not in it, as 1[ or ]1: between two commas, as blocks are cut.
_STRAY = re.compile(rb"[0-9.eE+\-][ \t\r\n]*\[|\][ \t\r\n]*[0-9.eE+\-]")
_NPY = re.compile(
    rb"\x93NUMPY(?:\x01\x00(?P<short>..)|[\x02\x03]\x00(?P<long>....))"
    rb"\{'descr': '(?P<dtype>[<|][fiu][1248])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>(?:\d{1,10}, ?){0,7}(?:\d{1,10},?)?)\),? ?\} *\n",
    re.DOTALL,
)
_WRITTEN = 1024  # numbers that are written as JSON at once


def end_of_numbers(text, at, end):
    """Where the signs end, from `at` on and before `end`, that lists of numbers have in JSON."""
    while at < end:
        stop = _OF_NUMBERS.match(text, at, min(end, at + _BLOCK)).end()
        if stop < min(end, at + _BLOCK):
            return stop
        at = stop
    return end


def from_numbers(text, datatype, shape=None):
    """The array that JSON has as a list of numbers, flat or nested as its `shape`.

    `text` is bytes; without a shape, it is what the lists are nested as. Raises InputError where it
    is something else, a number is none of the datatype, or JSON has none (NaN).
    """
    text = bytes(text).strip(b" \t\r\n")
    if end_of_numbers(text, 0, len(text)) < len(text):
        raise InputError("no list of numbers in JSON")
    count = text.count(b",") + 1
    if shape is not None and math.prod(shape) != count:
        raise InputError(f"{_given(datatype, shape)}, given {count} values")
    blocks = (text[i : i + _BLOCK] for i in range(0, len(text), _BLOCK))
    structure = b"".join(block.translate(None, _NO_STRUCTURE) for block in blocks)
    nested = shape or _shape_of(structure)
    flat = shape is not None and len(structure) == count + 1 and structure == _lists([count])
    if not flat and (math.prod(nested) != count or structure != _lists(nested)):
        raise InputError("the lists of numbers are not nested as an array is")
    return _read(text, DTYPES[datatype], count).reshape(nested)


def from_values(values, datatype, shape):
    """The array of the values that a list in JSON has, flat or nested as its `shape`.

    Of BYTES, elements are texts. Raises InputError where the list has other values, or not as many.
    """
    kind = str if datatype == BYTES else bool
    if len(values) != math.prod(shape) or isinstance(values[0], list):
        values = [values]
        for n in shape:
            if not all(isinstance(v, list) and len(v) == n for v in values):
                raise InputError(f"{_given(datatype, shape)}, its data are no such lists")
            values = [inner for outer in values for inner in outer]
    if not all(isinstance(v, kind) for v in values):
        raise InputError(f"{_given(datatype, shape)}, its data are something else")
    array = np.empty(len(values), object if datatype == BYTES else DTYPES[datatype])
    array[:] = values
    return array.reshape(shape)


def from_bytes(data, datatype, shape):
    """The array that bytes hold, little-endian, row by row: a view of `data`, a memoryview.

    Elements of BYTES are copies, each behind its length in four bytes. Raises InputError where
    there are more or fewer bytes than the shape says, and for numbers that are not finite.
    """
    if datatype == BYTES:
        return _from_lengths(data, shape)
    dtype = DTYPES[datatype]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise InputError(f"{_given(datatype, shape)}, given {len(data)} bytes")
    if datatype == "BOOL" and np.frombuffer(data, np.uint8).max(initial=0) > 1:
        raise InputError("a byte of BOOL is 0 or 1")
    array = np.frombuffer(data, dtype).reshape(shape)
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError("a number is not finite")
    return array


def from_npy(body, datatype):
    """The array that a file of `numpy.save` holds, in the order of C, converted to a datatype.

    Raises InputError where it is no such file, or the datatype, FP32 or UINT8, has no such
    numbers.
    """
    match = _NPY.match(body, 0, min(len(body), 2**12))
    if not match:
        raise InputError("no array of numbers in NumPy's format, in the order of C")
    length = match["short"] or match["long"]
    start = match.end("short" if match["short"] else "long")
    if start + int.from_bytes(length, "little") != match.end():
        raise InputError("the header of NumPy's format is damaged")
    try:
        dtype = np.dtype(match["dtype"].decode())
    except TypeError:
        raise InputError("numbers of an unknown type") from None
    shape = [int(n) for n in match["shape"].decode().replace(",", " ").split()]
    given = len(body) - match.end()
    if not given or math.prod(shape) * dtype.itemsize != given:
        raise InputError(f"{dtype.name} of shape {shape}, given {given} bytes")
    array = np.frombuffer(memoryview(body)[match.end() :], dtype).reshape(shape)
    if datatype == "UINT8":
        if dtype.kind not in "iu" or array.min() < 0 or array.max() > 255:
            raise InputError(f"numbers are no uint8, given {dtype.name}")
        return array.astype(np.uint8)
    with np.errstate(over="ignore"):
        array = array.astype(DTYPES[datatype])
    if not np.isfinite(array).all():
        raise InputError("a number is not finite")
    return array


def to_bytes(array):
    """The bytes of an array as `from_bytes` reads them; one of objects has elements of bytes."""
    if array.dtype != object:
        return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    return b"".join(struct.pack("<I", len(element)) + element for element in array.ravel())


def to_json(array):
    """A flat list in JSON, of bytes as text in UTF-8: bytes."""
    flat = array.ravel()
    if array.dtype == object:
        return json.dumps([element.decode() for element in flat]).encode()
    parts = []
    for i in range(0, flat.size, _WRITTEN):
        parts.append(json.dumps(flat[i : i + _WRITTEN].tolist())[1:-1].encode())
        time.sleep(_PAUSE)
    return b"[" + b", ".join(parts) + b"]"


def _given(datatype, shape):
    """How messages call an array."""
    return f"{datatype} of shape {list(shape)}"


def _shape_of(structure):
    """The shape of lists by their first ones, given their brackets and commas."""
    depth = len(structure) - len(structure.lstrip(b"["))
    if not 1 <= depth <= 8:
        raise InputError("no list of numbers, or more than 8 within each other")
    shape, first = [], structure[depth:]
    for level in range(1, depth + 1):
        end = first.find(b"]" * level)
        if end < 0:
            raise InputError("a list of numbers does not end")
        shape.insert(0, first.count(b"," if level == 1 else b"]" * (level - 1) + b",", 0, end) + 1)
    return shape


def _lists(shape):
    """The brackets and commas of an array's nested lists."""
    structure = b""
    for n in reversed(shape):
        structure = b"[" + b",".join([structure] * n) + b"]"
    return structure


def _read(text, dtype, count):
    """The `count` numbers between commas, whatever brackets are among them."""
    array, at, done = np.empty(count, dtype), 0, 0
    while at <= len(text) and done < count:
        end = text.find(b",", at + _BLOCK, at + _BLOCK + _LONGEST)
        if end < 0:
            end = len(text)
        if end - at > _BLOCK + _LONGEST:
            raise InputError(f"a number of more than {_LONGEST} signs")
        block = text[at:end]
        if _STRAY.search(block):
            raise InputError("a number stands outside of the lists")
        numbers = _converted(b"[" + block.translate(None, b"[]") + b"]", dtype)
        array[done : done + len(numbers)] = numbers
        at, done = end + 1, done + len(numbers)
        time.sleep(_PAUSE)
    return array


def _converted(text, dtype):
    """The numbers of a flat list in JSON. Raises InputError where one is none of a type's."""
    try:
        values = parse_json(text)
    except InputError:
        raise InputError("a number in JSON is not written as one") from None
    if not values:
        raise InputError("a list without a number")
    if dtype.kind in "iu":
        bounds = np.iinfo(dtype)
        whole = set(map(type, values)) == {int}
        if not whole or not bounds.min <= min(values) <= max(values) <= bounds.max:
            raise InputError(f"a number is no {dtype.name}: {bounds.min} to {bounds.max}")
        return np.array(values, dtype)
    if dtype.kind != "f":
        raise InputError(f"numbers are no {dtype.name}")
    try:
        with np.errstate(over="ignore"):
            numbers = np.array(values, np.float64).astype(dtype)
    except OverflowError:
        raise InputError(f"a number is too large for {dtype.name}") from None
    if not np.isfinite(numbers).all():
        raise InputError(f"a number is too large for {dtype.name}")
    return numbers


def _from_lengths(data, shape):
    """The array of elements that stand behind their lengths."""
    count, at = math.prod(shape), 0
    if count * 4 > len(data):
        raise InputError(f"{_given(BYTES, shape)}, given {len(data)} bytes")
    array = np.empty(count, object)
    for i in range(count):
        if at + 4 > len(data):
            raise InputError(f"{_given(BYTES, shape)}, the bytes end in element {i}")
        [length] = struct.unpack_from("<I", data, at)
        at += 4
        if length > len(data) - at:
            raise InputError(f"{_given(BYTES, shape)}, the bytes end in element {i}")
        array[i] = bytes(data[at : at + length])
        at += length
    if at != len(data):
        raise InputError(f"{_given(BYTES, shape)}, {len(data) - at} bytes too many")
    return array.reshape(shape)
