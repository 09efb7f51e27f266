import json
import struct

import numpy as np
import pytest

from gluon_glore.utils.errors import InputError
from gluon_glore.weights.safetensors_file import read_metadata, read_safetensors, write_safetensors


def file_of(header, data=b""):
    """The bytes of a file with that header, a dictionary or bytes."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(header)) + header + data


def tensor(dtype="F32", shape=(1,), begin=0, end=4):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "w.safetensors"


def refused(path, message):
    with pytest.raises(InputError, match=message) as caught:
        read_safetensors(path)
    assert str(caught.value).startswith(f"{path}: ") and len(str(caught.value).splitlines()) == 1


def test_arrays_and_metadata_come_back_bit_by_bit(path):
    rng = np.random.RandomState(0)
    arrays = {
        dtype: (100 * rng.normal(size=(3, 4))).astype(dtype)
        for dtype in ("float16", "float32", "float64", "int64", "int32", "int8", "uint8")
    }
    arrays["turned"] = arrays["float32"].T
    arrays["scalar"] = np.array(7, "int64")
    write_safetensors(path, arrays, {"key": "text"})
    found = read_safetensors(path)
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)
    assert (read_metadata(path, "key"), read_metadata(path, "other")) == ("text", "")


def test_bfloat16_becomes_float32_with_all_its_values(path):
    upper = np.array([0x3F80, 0xC040, 0x0001, 0x7F7F], "<u2")  # 1, -3, the least, the largest
    path.write_bytes(file_of({"a": tensor("BF16", (4,), 0, 8)}, upper.tobytes()))
    found = read_safetensors(path)["a"]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.view("<u4"), upper.astype("<u4") << 16)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "not a safetensors file, or one that was cut"),
        (b"12345", "not a safetensors file"),
        (b"\xff" * 80, "not a safetensors file"),
        (file_of(b"x" * 9000000), "not a safetensors file"),
        (file_of(b"[" * 50000), "a damaged safetensors file"),
        (file_of(b"[]"), "a damaged safetensors file"),
        (file_of({}), "holds no parameters"),
        (file_of({"a": tensor()}), "a damaged safetensors file"),
        (file_of({"a": tensor()}, b"1234more"), "a damaged safetensors file"),
        (file_of({"a": tensor(end=8)}, b"12345678"), "a damaged safetensors file"),
        (file_of({"a": tensor(), "b": tensor()}, b"1234"), "a damaged safetensors file"),
        (file_of({"a": tensor(shape=(2**40, 2**40))}, b"1234"), "a damaged safetensors file"),
        (file_of({"a": tensor("F32", (1,))}, b"\0\0\x80\x7f"), "a has values that are not finite"),
        (file_of({"a": tensor("BF16", (1,), 0, 2)}, b"\xc0\x7f"), "not finite"),
        (
            file_of({"a": tensor("BOOL", (4,))}, b"\1\0\1\0"),
            "a is of type BOOL, those read are F64",
        ),
        (file_of({"a\n": tensor()}, b"1234"), r"a name that is no text: 'a\\n'"),
    ],
    ids=range(16),
)
def test_what_is_damaged_is_refused_in_a_line(path, data, message):
    path.write_bytes(data)
    refused(path, message)


def test_a_file_cut_anywhere_is_refused(path):
    write_safetensors(path, {"a": np.ones((2, 3), "float32"), "b": np.ones(3, "float16")})
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        refused(path, "a damaged safetensors file|not a safetensors file")


@pytest.mark.parametrize(
    "header", [b"[]", b"{", b'{"__metadata__": 3}', b'{"__metadata__": {"k": 3}}']
)
def test_damaged_metadata_is_refused(path, header):
    path.write_bytes(file_of(header))
    with pytest.raises(InputError, match="a damaged safetensors file"):
        read_metadata(path, "k")


def test_a_missing_file_is_said(path):
    refused(path, "No such file")
