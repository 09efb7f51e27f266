"""Numbers that tests compare with, in plain numpy."""

import zlib

import numpy as np


def relative_error(actual, expected):
    """Largest difference, as a share of the largest expected value."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    return np.abs(actual - expected).max() / np.abs(expected).max()


def synthetic(name, shape):
    """The weights that belong to a parameter's name in the golden files (rule of their makers)."""
    rng = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    if len(shape) == 1:
        if name.endswith(("gamma", ".weight")):
            return rng.uniform(0.5, 1.5, shape).astype("float32")
        return rng.normal(0, 0.1, shape).astype("float32")
    fan_in = int(np.prod(shape[1:]))
    return rng.normal(0, (1.0 / fan_in) ** 0.5, shape).astype("float32")
