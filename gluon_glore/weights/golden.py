"""The golden pair of an exported folder: an input, and the logits that the Gluon network gave."""

import zipfile

import numpy as np

from ..utils.errors import InputError
from ..utils.files import atomic_path

GOLDEN = "golden.npz"
BATCH = 2
SEED = 7


def golden_input(deployment, sizes):
    """A batch of noise for the deployment's input: normal, or pictures of random pixels.

    `sizes` stand in for the axes that may vary, one for each axis.
    """
    rng = np.random.RandomState(SEED)
    shape = (BATCH, *(n or size for n, size in zip(deployment.shape[1:], sizes[1:])))
    if deployment.takes_pictures:
        return rng.randint(0, 256, size=shape).astype("uint8")
    return rng.normal(size=shape).astype("float32")


def ordinary(logits, count):
    """Places of the `count` pictures whose largest logit is nearest to the middle one."""
    largest = np.abs(logits).max(axis=1)
    return np.abs(largest - np.median(largest)).argsort(kind="stable")[:count]


def write_golden(folder, x, logits):
    """Write `golden.npz` with the batch `x` and its `logits`."""
    with atomic_path(folder / GOLDEN) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, input=x, logits=logits)


def read_golden(folder):
    """(batch, logits) of a folder. Raises InputError where they are damaged."""
    try:
        with np.load(folder / GOLDEN) as golden:
            return golden["input"], golden["logits"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        raise InputError(f"{folder / GOLDEN}: no golden pair in it") from None


def relative_error(logits, expected):
    """Largest difference, as a share of the largest expected logit; infinite where one is nan."""
    error = np.abs(logits - expected).max() / np.abs(expected).max()
    return float(error) if np.isfinite(error) else float("inf")


def typical_error(logits, expected):
    """Largest difference of a picture, as a share of its largest logit; the average of pictures.

    None counts for more than 1, which is nothing right: a trained network was seen to magnify one
    picture in hundreds a ten thousandfold, and no other is to be judged by it.
    """
    largest = np.maximum(np.abs(expected).max(axis=1), np.finfo("float32").tiny)
    errors = np.abs(logits - expected).max(axis=1) / largest
    return float(np.fmin(errors, 1).mean())  # of 1 and not a number, 1


def rounding_error(network, pixels):
    """What becomes of the outputs when every input is moved by its last bit, relative as above.

    A network may magnify it: deep ones of random weights do, a thousandfold. Runtimes that add up
    in another order can't be expected to agree better.
    """
    signs = np.random.RandomState(SEED).choice([-1, 1], size=pixels.shape)
    moved = pixels * (1 + signs * np.finfo("float32").eps / 2)
    return relative_error(network(moved.astype("float32")), network(pixels))


def top1_agreement(logits, expected):
    """Share of a batch whose likeliest class is the expected one."""
    return float((logits.argmax(axis=1) == expected.argmax(axis=1)).mean())
