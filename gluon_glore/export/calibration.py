"""Labelled samples for lowering a network's precision: pictures, windows of scenes, clips.

Some calibrate it, which is to observe the range of its activations; on a few of those it is tried
which units can be lowered; others, held out, measure the result.
"""

from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..data.cityscapes import IGNORE
from ..utils.errors import InputError, naming
from ..weights.labelled_samples import open_samples
from .samples import samples_as_inputs

CALIBRATED = 128  # samples at most whose activations give the ranges of the integers
TRIED = 32  # of them, on which units are tried
HELD_OUT = 256  # at most
LEAST = 16  # of those that calibrate, and of those held out
LEAST_COMPARED = 2
MOST_BYTES = 2**30  # of the inputs that calibrate, and of those held out: 151 windows of 768x768
MOST_OUTPUTS = 2**26  # numbers that a network gives for samples whose logits are compared
SEED = 7


@dataclass(frozen=True)
class Calibration:
    """Inputs `used` to lower a network's precision; `held_out` ones, with `labels`, measure it.

    `kind` is what they are, "pictures", "windows" of scenes or "clips". The logits of `most` fit in
    memory.
    """

    used: np.ndarray
    held_out: Optional[np.ndarray] = None
    labels: Optional[np.ndarray] = None
    kind: str = "pictures"
    most: int = HELD_OUT

    @property
    def tried(self):
        """The inputs on which it is tried which units can be lowered."""
        return self.used[: min(TRIED, self.most)]

    @property
    def compared(self):
        """The inputs held out of which the most typical ones are chosen."""
        return self.held_out[: self.most]


def read_calibration(path, manifest) -> Calibration:
    """Inputs of an exported network's `manifest` made of the labelled samples at `path`.

    They are drawn at random: 128 to calibrate, or half where there are fewer than 256, and up to
    256 others to be held out, of both as many as 1 GiB holds. Where scenes are split, those to
    calibrate are of "train" and the others of "val". Raises InputError where there are none or too
    few, they are of other classes, one is damaged or smaller than the input, no pixel has a label,
    or the network does not take such samples.
    """
    samples = open_labelled(path, manifest)
    used = samples_as_inputs(samples, manifest)
    held_out = used
    if samples.training:
        with naming(path):
            used = samples_as_inputs(open_samples(manifest, samples.training), manifest)
        order = [_shuffled(len(used)), _shuffled(len(held_out))]
        least, given = f"{LEAST} scenes of each split", f"{len(used)} and {len(held_out)}"
    else:
        drawn = _shuffled(len(used))
        half = min(CALIBRATED, len(drawn) // 2)
        order = [drawn[:half], drawn[half:]]
        kind = "scenes" if used.kind == "windows" else used.kind  # of each scene there is one
        least, given = f"{2 * LEAST} {kind}", len(used)
    if min(map(len, order)) < LEAST:
        raise InputError(f"{path}: at least {least} are needed, given {given}")
    used_inputs, _ = _read(used, order[0][:CALIBRATED])
    inputs, labels = _read(held_out, order[1][:HELD_OUT])
    if labels.ndim > 1 and (labels == IGNORE).all():
        raise InputError(f"{path}: no labelled pixel in {len(labels)} windows of scenes")
    outputs = len(manifest.class_names) * labels[0].size
    most = max(LEAST_COMPARED, MOST_OUTPUTS // outputs)
    return Calibration(used_inputs, inputs, labels, used.kind, most)


def open_labelled(path, manifest):
    """The `weights.labelled_samples` at `path` for an exported network.

    Raises InputError where they can't be opened, or the network takes no pictures or videos.
    """
    axes = 5 if manifest.clip else 4
    if len(manifest.deployment.shape) != axes or manifest.preprocess.channels not in (1, 3):
        raise InputError(f"{manifest.model} takes no pictures, as those of {path}")
    with naming(path):
        return open_samples(manifest, path)


def _shuffled(count):
    """The numbers below `count` in random order, always the same."""
    return np.random.RandomState(SEED).permutation(count)


def _read(samples, places):
    """(inputs, labels) of the samples at some places, as many as `MOST_BYTES` hold."""
    inputs, labels = zip(*_within(MOST_BYTES, (samples[int(i)] for i in places)))
    return np.stack(inputs), np.stack(labels)


def _within(most, samples):
    """Yield pairs (input, label) until the inputs have `most` bytes together, at least `LEAST`."""
    total = 0
    for number, (x, label) in enumerate(samples):
        total += x.nbytes
        if number >= LEAST and total > most:
            return
        yield x, label


def most_typical(logits, count):
    """Places of the `count` pictures whose largest logit is nearest to the median of all."""
    largest = np.abs(logits).reshape(len(logits), -1).max(axis=1)
    return np.abs(largest - np.median(largest)).argsort(kind="stable")[:count]
