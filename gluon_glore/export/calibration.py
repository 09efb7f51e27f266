"""Pictures for lowering a network's precision: to calibrate, to choose, to measure."""

from dataclasses import dataclass

import numpy as np

from ..data.image import decode_image
from ..utils.errors import InputError, naming
from ..weights.manifest import labels_pixels

CALIBRATED = 128  # pictures whose activations give the ranges of the integers
CHOSEN = 32  # of them, on which units are tried
HELD_OUT = 256  # the most that the result is measured on
LEAST = 16
BATCH = 8
SEED = 7


@dataclass(frozen=True)
class Calibration:
    """Inputs `used` to lower a network; `held_out` ones measure it, with their `labels`."""

    used: np.ndarray
    held_out: np.ndarray
    labels: np.ndarray

    @property
    def tried(self):
        """The inputs that choose units."""
        return self.used[:CHOSEN]


def read_calibration(path, manifest) -> Calibration:
    """Inputs of an exported network's `manifest` made of the pictures in `path`, indexed RecordIO.

    They are drawn at random: up to half of them to calibrate, the others held out. Raises
    InputError where the file is missing, damaged or of other classes, has too few pictures or one
    that is smaller than the input, or where the network does not take pictures.
    """
    pictures = Pictures(path, manifest)
    if len(pictures) < 2 * LEAST:
        raise InputError(f"{path}: at least {2 * LEAST} pictures are needed, given {len(pictures)}")
    order = np.random.RandomState(SEED).permutation(len(pictures))
    used = min(CALIBRATED, len(pictures) // 2)
    inputs, labels = pictures.read(order[: used + HELD_OUT])
    return Calibration(inputs[:used], inputs[used:], labels[used:])


class Pictures:
    """The pictures of indexed RecordIO as inputs of an exported network, with their labels.

    Raises InputError where the file is missing, damaged or of other classes, a picture is smaller
    than the input, or the network takes no pictures or labels their pixels.
    """

    def __init__(self, path, manifest):
        # The trainers stand above this package; only this and `weights.measure` need them.
        from gluon_glore.data.records import RecordDataset

        self._preprocess, self._deployment = manifest.preprocess, manifest.deployment
        if len(self._deployment.shape) != 4 or self._preprocess.channels not in (1, 3):
            raise InputError(f"{manifest.model} takes no pictures, as those of {path}")
        if labels_pixels(manifest):
            raise InputError(
                f"{manifest.model} labels pixels, {path} is for networks that classify pictures"
            )
        with naming(path):
            self._dataset = RecordDataset(path, len(manifest.class_names))

    def __len__(self):
        return len(self._dataset)

    def read(self, order):
        """(inputs, labels) of the pictures whose numbers are in `order`."""
        samples = [self._sample(int(i)) for i in order]
        return np.stack([x for x, _ in samples]), np.array([label for _, label in samples])

    def _sample(self, i):
        try:
            data, label = self._dataset[i]
            picture = self._preprocess.crop(decode_image(data, self._preprocess.channels))
        except InputError as error:
            text, name = str(error), self._dataset.name(i)
            raise InputError(text if text.startswith(name) else f"{name}: {text}") from None
        if not self._deployment.takes_pictures:
            picture = self._preprocess.normalize(picture)
        return picture, label


def in_batches(network, inputs, size=BATCH):
    """The outputs of `network` for all `inputs`, run in batches of one size."""
    batches = [inputs[start : start + size] for start in range(0, len(inputs), size)]
    missing = size - len(batches[-1])  # made up, so that nothing is compiled for one batch
    batches[-1] = np.concatenate([batches[-1], batches[-1][:1].repeat(missing, axis=0)])
    return np.concatenate([network(batch) for batch in batches])[: len(inputs)]
