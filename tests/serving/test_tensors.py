import json
import math

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.serving import tensors
from gluon_glore.serving.tensors import BYTES, DTYPES, from_bytes, from_numbers, from_values

SHAPES = [(1,), (5,), (1, 1), (2, 1), (1, 2), (2, 3, 4), (3, 1, 1), (1, 2, 1, 2)]
NUMBERS = [name for name in DTYPES if name != "BOOL"]


def some(datatype, shape):
    """Numbers over the whole range of a datatype."""
    dtype, rng = DTYPES[datatype], np.random.RandomState(0)
    if dtype.kind == "f":
        array = rng.standard_normal(shape).astype(dtype)
        array.flat[0] = np.finfo(dtype).max
        return array
    bounds = np.iinfo(dtype) if dtype.kind != "b" else None
    low, high = (bounds.min, bounds.max) if bounds else (0, 1)
    array = rng.randint(0, 2, shape).astype(dtype)
    array.flat[0], array.flat[-1] = low, high
    return array


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_come_back_from_json_flat_and_nested(datatype, shape):
    array = some(datatype, shape)
    for values in (array.tolist(), array.ravel().tolist()):
        for indent in (None, 2):
            text = json.dumps(values, indent=indent).encode()
            read = from_numbers(text, datatype, list(shape))
            assert read.dtype == array.dtype and np.array_equal(read, array)
    assert np.array_equal(from_numbers(json.dumps(array.tolist()).encode(), datatype), array)
    assert json.loads(tensors.to_json(array)) == array.ravel().tolist()


@pytest.mark.parametrize("datatype", DTYPES)
def test_numbers_come_back_from_bytes(datatype):
    array = some(datatype, (2, 3))
    data = tensors.to_bytes(array)
    assert data == array.astype(DTYPES[datatype]).tobytes()
    read = from_bytes(memoryview(data), datatype, [2, 3])
    assert read.dtype == array.dtype and np.array_equal(read, array)
    assert np.array_equal(tensors.to_bytes(array.T), tensors.to_bytes(np.array(array.T, order="C")))


@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_are_little_endian(order):
    assert tensors.to_bytes(np.array([1, 2], f"{order}i4")) == b"\1\0\0\0\2\0\0\0"


def test_many_numbers_are_read_and_written_in_blocks():
    array = np.random.RandomState(0).standard_normal((7, 3, 50, 41)).astype("float32")
    text = json.dumps(array.tolist()).encode()
    assert len(text) > 10 * tensors._BLOCK
    assert np.array_equal(from_numbers(text, "FP32", array.shape), array)
    written = np.array(json.loads(tensors.to_json(array)), np.float32)
    assert np.array_equal(written.reshape(array.shape), array)


def test_the_end_of_numbers_is_found_over_blocks():
    text = b"[" + b"1, " * tensors._BLOCK + b'1]}"'
    assert tensors.end_of_numbers(text, 0, len(text)) == len(text) - 2
    assert tensors.end_of_numbers(text, 0, 9) == 9


@pytest.mark.parametrize(
    "text, datatype, shape, message",
    [
        ("[1, 2, 3]", "FP32", [2], "FP32 of shape [2], given 3 values"),
        ("[1, 2]", "FP32", [2**40, 2**40], "given 2 values"),
        ("[]", "FP32", [1], "a list without a number"),
        ("[]", "INT8", None, "a list without a number"),
        ("[,]", "INT8", [2], "not written as one"),
        ("[[1], 2]", "INT8", [2], "not nested as an array is"),
        ("[[1, 2], [3]]", "INT8", None, "not nested as an array is"),
        ("[[1, 2], [3]]", "INT8", [3], "not nested"),
        ("[[1], [2]]", "INT8", [1, 2], "not nested"),
        ("[1, 2", "INT8", [2], "not nested"),
        ("[1, 2", "INT8", None, "does not end"),
        ("1", "INT8", None, "no list of numbers"),
        ('["1", 2]', "FP32", None, "no list of numbers"),
        ("[true]", "FP32", [1], "no list of numbers"),
        ("[null]", "FP32", [1], "no list of numbers"),
        ("[NaN]", "FP32", [1], "no list of numbers"),
        ("[" * 9 + "1" + "]" * 9, "INT8", None, "more than 8 within each other"),
        ("[[1, 2], 3[, 4]]", "INT8", [2, 2], "outside of the lists"),
        ("[[1, 2]3, [4]]", "INT8", [2, 2], "given 3 values"),
        ("[1 2, 3]", "INT8", [2], "not written as one"),
        ("[--1, 3]", "INT8", [2], "not written as one"),
        ("[01, 3]", "FP32", [2], "not written as one"),
        ("[1e400]", "FP64", [1], "too large for float64"),
        ("[1e39]", "FP32", [1], "too large for float32"),
        ("[70000.0]", "FP16", [1], "too large for float16"),
        (f"[{10**400}]", "FP64", [1], "too large for float64"),
        ("[256]", "UINT8", [1], "no uint8: 0 to 255"),
        ("[-1]", "UINT64", [1], "no uint64"),
        (f"[{2**64}]", "UINT64", [1], "no uint64"),
        ("[1.0]", "INT32", [1], "no int32"),
        ("[1]", "BOOL", [1], "no bool"),
        (f"[{'1' * 5000}]", "INT64", [1], "not written as one"),
        (f"[{'1' * 100000}]", "FP32", [1], "more than 1000 signs"),
    ],
)
def test_other_lists_are_refused(text, datatype, shape, message):
    with pytest.raises(InputError) as refused:
        from_numbers(text.encode(), datatype, shape)
    assert message in str(refused.value)


@pytest.mark.parametrize("shape", [(3,), (3, 1), (1, 3)])
def test_texts_and_flags_come_from_lists(shape):
    texts, flags = np.array(["a", "", "é"], object), np.array([True, False, True])
    for array, datatype in ((texts, BYTES), (flags, "BOOL")):
        for values in (array.tolist(), array.reshape(shape).tolist()):
            read = from_values(values, datatype, list(shape))
            assert np.array_equal(read, array.reshape(shape)) and read.dtype == array.dtype


@pytest.mark.parametrize(
    "values, datatype, shape",
    [
        ([], BYTES, [1]),
        (["a"], BYTES, [2]),
        (["a", "b"], BYTES, [2**40]),
        ([["a"], "b"], BYTES, [2]),
        ([["a", "b"]], BYTES, [2, 1]),
        ([["a"], ["b", "c"]], BYTES, [3]),
        ([[["a"]]], BYTES, [1, 1]),
        ([1], BYTES, [1]),
        ([True], BYTES, [1]),
        ([1], "BOOL", [1]),
        (["a"], "BOOL", [1]),
    ],
)
def test_other_values_are_refused(values, datatype, shape):
    with pytest.raises(InputError):
        from_values(values, datatype, shape)


def test_elements_stand_behind_their_lengths():
    array = np.array([[b"abc", b""], [b"\0\xff", b"x"]], object)
    data = tensors.to_bytes(array)
    assert data == b"\3\0\0\0abc\0\0\0\0\2\0\0\0\0\xff\1\0\0\0x"
    assert np.array_equal(from_bytes(memoryview(data), BYTES, [2, 2]), array)
    for wrong in (data[:-1], data + b"\0", data[:4], b"", b"\xff" * 16):
        with pytest.raises(InputError, match="BYTES of shape"):
            from_bytes(memoryview(wrong), BYTES, [2, 2])
    with pytest.raises(InputError, match="given 22 bytes"):
        from_bytes(memoryview(data), BYTES, [2**40])


@pytest.mark.parametrize(
    "data, datatype, shape, message",
    [
        (bytes(8), "FP32", [3], "given 8 bytes"),
        (bytes(8), "FP32", [2**40, 2**20], "given 8 bytes"),
        (b"\0\2", "BOOL", [2], "0 or 1"),
        (np.float32(math.nan).tobytes(), "FP32", [1], "not finite"),
        (np.float16(math.inf).tobytes(), "FP16", [1], "not finite"),
    ],
)
def test_other_bytes_are_refused(data, datatype, shape, message):
    with pytest.raises(InputError, match=message):
        from_bytes(memoryview(data), datatype, shape)
