import io
import os
import zipfile

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.weights.golden import (
    GOLDEN,
    golden_classes,
    noise,
    read_golden,
    relative_error,
    rounding_error,
    top1_agreement,
    write_golden,
    write_seeded_golden,
)


def test_rounding_error_is_what_the_network_makes_of_a_last_bit():
    x = np.random.RandomState(0).uniform(1, 2, (2, 1000)).astype("float32")
    assert rounding_error(lambda pixels: pixels, x) < 2e-7
    magnified = rounding_error(lambda pixels: (pixels.astype("float64") - x) * 1e3 + 1, x)
    assert 3e-5 < magnified < 3e-4  # a thousand times 2**-23 of values up to 2


def test_relative_error_is_of_the_largest_and_infinite_for_nan():
    assert relative_error(np.array([1.0, -4.5]), np.array([1.0, -4.0])) == 0.125
    assert relative_error(np.array([np.nan, 1.0]), np.array([1.0, 1.0])) == float("inf")


def test_top1_agreement_counts_rows():
    expected = np.array([[0, 1], [1, 0], [0, 1], [0, 1]])
    assert top1_agreement(np.array([[0, 2], [1, 3], [0, 2], [5, 6]]), expected) == 0.75


LOGITS = np.arange(6, dtype="float32").reshape(2, 3)


def test_a_pair_comes_back_of_either_kind(tmp_path):
    x = noise((2, 1, 4, 4))
    write_golden(tmp_path, x, LOGITS)
    assert all(map(np.array_equal, read_golden(tmp_path), (x, LOGITS)))
    write_seeded_golden(tmp_path, x.shape, LOGITS)
    assert all(map(np.array_equal, read_golden(tmp_path), (x, LOGITS)))
    assert golden_classes(tmp_path) == 3


def saved(**arrays):
    """A function that writes a pair's logits and other `arrays`."""

    def write(path):
        with open(path, "wb") as file:
            np.savez_compressed(file, **{"logits": LOGITS, **arrays})

    return write


def declares(path, shape):
    """A pair whose logits say that they have a shape."""
    head = io.BytesIO()
    head_of = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, head_of)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("logits.npy", head.getvalue())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "a named pipe, a file is needed"),
        (lambda path: path.write_text("x"), "damaged golden numbers"),
        (lambda path: path.write_bytes(b""), "damaged golden numbers"),
        (saved(), "damaged golden numbers"),
        (saved(logits=np.array(["a"]), input=LOGITS), "damaged golden numbers"),
        (
            saved(shape=[10**6] * 2, seed=7),
            "damaged golden numbers: numbers of",
        ),
        (
            saved(shape=[10**9], seed=7),
            r"damaged golden numbers: shape\[0\]: a whole",
        ),
        (
            saved(shape=[2.5], seed=7),
            r"damaged golden numbers: shape\[0\]: a whole",
        ),
        (
            saved(shape=[2], seed=-1),
            "damaged golden numbers: seed: a whole",
        ),
        (lambda path: declares(path, (10**13, 3)), "damaged golden numbers"),
    ],
    ids=range(10),
)
def test_a_pair_that_is_none_is_refused_in_a_line(tmp_path, make, reason):
    make(tmp_path / GOLDEN)
    with pytest.raises(InputError, match=f"^{tmp_path / GOLDEN}: {reason}"):
        read_golden(tmp_path)


def test_a_pair_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path):
    with zipfile.ZipFile(tmp_path / GOLDEN, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("logits.npy", b"")
    data = bytearray((tmp_path / GOLDEN).read_bytes())
    at = data.index(b"PK\x01\x02") + 24  # the size that the directory says of it
    data[at : at + 4] = (2**31).to_bytes(4, "little")
    (tmp_path / GOLDEN).write_bytes(data)
    with pytest.raises(InputError, match="more than 1024 MiB of numbers in it"):
        read_golden(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x", b"PK"])
def test_classes_of_what_is_no_pair_are_refused(tmp_path, content):
    (tmp_path / GOLDEN).write_bytes(content)
    with pytest.raises(InputError, match="damaged golden numbers"):
        golden_classes(tmp_path)
