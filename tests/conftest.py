"""Shared fixtures. Threads are set before any test imports MXNet."""

import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from gluon_glore.utils.cpu import prepare_cpu

prepare_cpu()

from benchmarks.networks import settle  # noqa: E402, F401 - for the tests

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def digit_pairs(tmp_path_factory):
    """A small digit-pairs data set: 192 training and 70 test pairs."""
    from train.digit_pairs import write_digits

    directory = tmp_path_factory.mktemp("digit_pairs")
    write_digits(directory, train=192, test=70)
    return directory


@pytest.fixture
def settings(digit_pairs):
    """`--set` options that put a short run of configs/digit_pairs.yaml on the small set."""
    return [
        f"data.train={digit_pairs}/train.rec",
        f"data.val={digit_pairs}/val.rec",
        f"data.class_names={digit_pairs}/classes.txt",
        "optim.epochs=2",
        "optim.batch_size=32",
        "log_every=1",
    ]


@pytest.fixture
def mount(tmp_path):
    """`mount(options)` makes a file system in memory; skips where that is not allowed."""
    place = tmp_path / "mount"
    place.mkdir()
    done = []

    def run(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode:
            pytest.skip(f"no tmpfs can be mounted: {mounted.stderr.strip()}")
        done.append(place)
        return place

    yield run
    for path in done:
        subprocess.run(["umount", str(path)], check=True)


def relative_error(actual, expected):
    """Largest difference, as a share of the largest expected value."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    return np.abs(actual - expected).max() / np.abs(expected).max()


def small_size(spec):
    """Pixels enough for all strides, few enough for two cores; the frames of a video network."""
    return (spec.frames or 64,) + (64,) * (spec.ndim - 1)


def execute(symbol, weights, x):
    """The first output of a symbol, evaluated by an executor of its own."""
    import mxnet as mx

    executor = symbol.bind(
        mx.cpu(),
        {"data": x, **{k[4:]: v for k, v in weights.items() if k.startswith("arg:")}},
        aux_states={k[4:]: v for k, v in weights.items() if k.startswith("aux:")},
        grad_req="null",
    )
    return executor.forward()[0].asnumpy()


def synthetic(name, shape):
    """The weights that belong to a parameter's name in the golden files (rule of their makers)."""
    rng = np.random.RandomState(zlib.crc32(name.encode()) & 0xFFFFFFFF)
    if len(shape) == 1:
        if name.endswith(("gamma", ".weight")):
            return rng.uniform(0.5, 1.5, shape).astype("float32")
        return rng.normal(0, 0.1, shape).astype("float32")
    fan_in = int(np.prod(shape[1:]))
    return rng.normal(0, (1.0 / fan_in) ** 0.5, shape).astype("float32")
