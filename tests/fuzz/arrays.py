"""Arrays of numbers as SageMaker's clients send them: nested lists in JSON, NumPy's format."""

import io
import json

import numpy as np

from gluon_glore.serving.tensors import from_npy, from_numbers

from .kind import Kind
from .mutate import mutate_bytes
from .mutate_text import mutate_json

_DTYPES = ("<f4", "<f8", "<f2", "<i8", "|u1", "|i1", "<u2")


def files():
    """Files of every kind of number, and of each version of the format."""
    for number, dtype in enumerate(_DTYPES):
        file = io.BytesIO()
        array = np.arange(24).reshape(2, 3, 4).astype(dtype)
        np.lib.format.write_array(file, array, (1 + number % 3, 0))
        yield file.getvalue()


def lists():
    """Nested and flat lists, with spaces and without."""
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 8
    for values in (array.tolist(), array.ravel().tolist(), [1], [[[0.5]], [[-1e-3]]]):
        for indent in (None, 1):
            yield json.dumps(values, indent=indent).encode()


def mutate_list(rng, seeds):
    """A list with values changed, or bytes."""
    return (mutate_json if rng.random() < 0.5 else mutate_bytes)(rng, seeds)


def read_file(data, folder):
    """Read a file."""
    array = from_npy(bytearray(data), "FP32")
    assert array.dtype == np.float32 and 0 < array.size < len(data)


def read_list(data, folder):
    """Read a list."""
    array = from_numbers(data, "FP32")
    assert array.dtype == np.float32 and 0 < array.size <= len(data)


ROWS = {
    "npy": Kind(lambda: list(files()), mutate_bytes, read_file),
    "json-array": Kind(lambda: list(lists()), mutate_list, read_list),
}
