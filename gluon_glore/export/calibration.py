"""Pictures for lowering a network's precision.

Some calibrate it, which is to observe the range of its activations; on a few of those it is tried
which units can be lowered; others, held out, measure the result.
"""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..data.accuracy import read_input
from ..data.labelled_pictures import pictures_for
from ..utils.errors import InputError, naming
from ..weights.manifest import labels_pixels

CALIBRATED = 128  # pictures at most whose activations give the ranges of the integers
TRIED = 32  # of them, on which units are tried
HELD_OUT = 256  # at most
LEAST = 16  # of those that calibrate, and of those held out
BATCH = 8
SEED = 7


@dataclass(frozen=True)
class Calibration:
    """Inputs `used` to lower a network's precision; `held_out` ones, with `labels`, measure it."""

    used: np.ndarray
    held_out: Optional[np.ndarray] = None
    labels: Optional[np.ndarray] = None

    @property
    def tried(self):
        """The inputs on which it is tried which units can be lowered."""
        return self.used[:TRIED]


def read_calibration(path, manifest) -> Calibration:
    """Inputs of an exported network's `manifest` made of the labelled pictures at `path`.

    They are drawn at random: 128 to calibrate, or half where there are fewer than 256, and up to
    256 others to be held out. Raises InputError where there are none or too few, they are of other
    classes, one is damaged or smaller than the input, or the network does not take pictures.
    """
    records = open_labelled(path, manifest)
    if len(records) < 2 * LEAST:
        raise InputError(f"{path}: at least {2 * LEAST} pictures are needed, given {len(records)}")
    order = np.random.RandomState(SEED).permutation(len(records))
    used = min(CALIBRATED, len(records) // 2)
    normalized = not manifest.deployment.takes_pictures
    samples = [
        read_input(records, int(i), manifest.preprocess, normalized)
        for i in order[: used + HELD_OUT]
    ]
    inputs = np.stack([x for x, _ in samples])
    if not normalized:
        inputs = manifest.deployment.laid_out(inputs)
    labels = np.array([label for _, label in samples])
    return Calibration(inputs[:used], inputs[used:], labels[used:])


def open_labelled(path, manifest):
    """The labelled pictures at `path`, for an exported network that classifies pictures.

    `path` is a folder, a list or a .rec, as `open_pictures` takes it. Raises InputError where it
    can't be opened, or the network takes no pictures or labels their pixels.
    """
    if len(manifest.deployment.shape) != 4 or manifest.preprocess.channels not in (1, 3):
        raise InputError(f"{manifest.model} takes no pictures, as those of {path}")
    if labels_pixels(manifest):
        raise InputError(
            f"{manifest.model} labels pixels, {path} is for networks that classify pictures"
        )
    with naming(path):
        return pictures_for(manifest.model, manifest.class_names, path)


def in_batches(network, inputs, size=BATCH):
    """The outputs of `network` for all `inputs`, run in batches of one size."""
    batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
    missing = size - len(batches[-1])  # filled up, so that nothing is compiled for a last batch
    batches[-1] = np.concatenate([batches[-1], batches[-1][:1].repeat(missing, axis=0)])
    return np.concatenate([network(batch) for batch in batches])[: len(inputs)]


def most_typical(logits, count):
    """Places of the `count` pictures whose largest logit is nearest to the median of all."""
    largest = np.abs(logits).max(axis=1)
    return np.abs(largest - np.median(largest)).argsort(kind="stable")[:count]
