"""Shared fixtures. Threads are set before any test imports MXNet."""

import os
import subprocess

import pytest

from gluon_glore.utils.cpu import cores, prepare_cpu

# `pytest -n N` runs N processes: each has its share of the cores.
processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // processes)))
prepare_cpu()

pytest_plugins = [
    f"tests.helpers.{name}" for name in ("patches", "trained", "without_mxnet", "zoo")
]
pytest.register_assert_rewrite("tests.helpers")


def pytest_collection_modifyitems(items):
    """Mark the tests, as tests/helpers/marks.py says."""
    from tests.helpers.marks import mark

    mark(items)


@pytest.fixture(scope="session")
def digit_pairs(tmp_path_factory):
    """A small digit-pairs data set: 192 training and 70 test pairs."""
    from train.digit_pairs import write_digits

    directory = tmp_path_factory.mktemp("digit_pairs")
    write_digits(directory, train=192, test=70)
    return directory


@pytest.fixture(scope="session")
def settings(digit_pairs):
    """`--set` options that put a short run of configs/digit_pairs.yaml on the small set; a list."""
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
