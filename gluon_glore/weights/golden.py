"""Golden numbers: an input and the logits that a network gave for it, kept beside its weights.

Whoever loads the weights elsewhere runs the input again and compares. `golden.npz` has the arrays
`input` and `logits` in an exported folder, or `probabilities` where its graph gives these. In a zoo
entry it has `seed` and `shape` of a normal input instead, so that it is a few kilobytes: what
`noise` makes of them.
"""

import io
import math
import zipfile
import zlib

import numpy as np

from ..utils import kinds
from ..utils.errors import InputError
from ..utils.files import atomic_path, open_file

GOLDEN = "golden.npz"
BATCH = 2
SEED = 7
LARGEST = 2**30  # bytes of a pair, unpacked
LEAST_LOGIT = np.log(np.finfo("float32").tiny)  # -87: runtimes make 0 of smaller probabilities
TOLERANCE = 5e-3  # of the logits' standard deviation, as for the authors' golden numbers
# What numpy and zipfile raise for a file that is none of theirs.
_DAMAGE = (ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, OSError)
_DAMAGE += (RuntimeError, TypeError, ValueError, zipfile.BadZipFile, zlib.error)
_SHAPE = kinds.listed(kinds.whole(1, 2**20), 1, 5)
_SEED = kinds.whole(0, 2**32 - 1)


def noise(shape, seed=SEED):
    """Normal float32 numbers of a shape, the same at every call."""
    return np.random.RandomState(seed).normal(size=shape).astype("float32")


def noise_pictures(shape):
    """Random uint8 pixels of a shape, the same at every call."""
    return np.random.RandomState(SEED).randint(0, 256, size=shape).astype("uint8")


def write_golden(folder, x, logits, probabilities=False):
    """Write `golden.npz` with the batch `x` and its `logits`, or their `probabilities`."""
    if probabilities:
        _write(folder, input=x, probabilities=np.exp(log_softmax(logits)))
    else:
        _write(folder, input=x, logits=logits)


def write_seeded_golden(folder, shape, logits):
    """Write `golden.npz` with the `logits` of `noise(shape)`."""
    _write(folder, seed=SEED, shape=shape, logits=logits)


def _write(folder, **arrays):
    """Write `golden.npz`, the whole file or none."""
    content = io.BytesIO()  # given a path, numpy adds an ending of its own to it
    np.savez_compressed(content, **arrays)
    with atomic_path(folder / GOLDEN) as temporary:
        temporary.write_bytes(content.getvalue())


def read_golden(folder):
    """(batch, logits) of a folder, of any kind. Raises InputError where they are damaged."""
    path = folder / GOLDEN
    try:
        with open_file(path, LARGEST) as file, np.load(file) as golden:
            if sum(member.file_size for member in golden.zip.infolist()) > LARGEST:
                raise InputError(f"{path}: more than {LARGEST >> 20} MiB of numbers in it")
            if "probabilities" in golden:
                logits = logits_of(_numbers(golden["probabilities"]))
            else:
                logits = _numbers(golden["logits"])
            if "input" in golden:
                return _numbers(golden["input"]), logits
            shape, seed = golden["shape"].tolist(), golden["seed"].item()
    except InputError:
        raise
    except _DAMAGE:
        raise _damaged(path) from None
    try:
        _SHAPE.check(shape, "shape")
        _SEED.check(seed, "seed")
        kinds.whole(0, LARGEST // 8).check(math.prod(shape), "numbers of its shape")
    except InputError as error:
        raise InputError(f"{path}: damaged golden numbers: {error}") from None
    return noise(tuple(shape), seed), logits


def golden_classes(folder):
    """How many classes a folder's golden logits are of, read from their head alone; 0 of no batch.

    Raises InputError where they are damaged.
    """
    path = folder / GOLDEN
    try:
        with open_file(path, LARGEST) as file:
            golden = zipfile.ZipFile(file)
            given = {"logits.npy", "probabilities.npy"} & set(golden.namelist())
            logits = golden.open(max(given))  # noqa: SIM115, as `read_golden` chooses
            np.lib.format.read_magic(logits)
            _, classes, *_ = (*np.lib.format.read_array_header_1_0(logits)[0], 0, 0)
            return classes
    except InputError:
        raise
    except _DAMAGE:
        raise _damaged(path) from None


def _numbers(array):
    if array.dtype.kind not in "fiu":
        raise TypeError(array.dtype)
    return array


def _damaged(path):
    return InputError(f"{path}: damaged golden numbers, no golden pair in it")


def compare_logits(actual, expected, what):
    """The largest difference, as a share of the expected logits' standard deviation.

    Raises InputError, naming `what` gave them, where it is above `TOLERANCE`.
    """
    if actual.shape != expected.shape:
        raise InputError(f"{what}: logits of {actual.shape}, expected {expected.shape}")
    difference = float(np.abs(actual - expected).max() / expected.std())
    if not difference <= TOLERANCE:
        raise InputError(
            f"{what}: logits differ by {difference:.1e} of their deviation, at most {TOLERANCE}"
        )
    return difference


def log_softmax(logits):
    """Logits `(B, classes, ...)` so shifted that their exponentials are probabilities, float32.

    At least `LEAST_LOGIT`.
    """
    logits = logits - logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return np.maximum(logits, LEAST_LOGIT)


def logits_of(probabilities):
    """Logits of which softmax makes these probabilities again, at least `LEAST_LOGIT`."""
    return np.log(np.maximum(probabilities, np.finfo("float32").tiny))


def relative_error(logits, expected):
    """Largest difference, as a share of the largest expected logit; infinite where one is nan."""
    error = np.abs(logits - expected).max() / np.abs(expected).max()
    return float(error) if np.isfinite(error) else float("inf")


def typical_error(logits, expected):
    """Largest difference of a sample, as a share of its largest logit; the average of samples.

    Of logits `(B, classes, H, W)` each pixel is a sample. None counts for more than 1, at which
    nothing is right: a trained network was seen to magnify one picture in hundreds a ten
    thousandfold, and that one must not decide for all.
    """
    largest = np.maximum(np.abs(expected).max(axis=1), np.finfo("float32").tiny)
    errors = np.abs(logits - expected).max(axis=1) / largest
    return float(np.fmin(errors, 1).mean())  # of 1 and not a number, 1


def rounding_error(network, pixels):
    """The `relative_error` of the outputs when every input is moved by its last bit.

    A network may magnify it: deep ones of random weights do, a thousandfold. Runtimes that add up
    in another order can't be expected to agree better.
    """
    signs = np.random.RandomState(SEED).choice([-1, 1], size=pixels.shape)
    moved = pixels * (1 + signs * np.finfo("float32").eps / 2)
    return relative_error(network(moved.astype("float32")), network(pixels))


def top1_agreement(logits, expected):
    """Share of a batch whose likeliest class is the expected one."""
    return float((logits.argmax(axis=1) == expected.argmax(axis=1)).mean())
