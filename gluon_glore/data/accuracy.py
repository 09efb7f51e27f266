"""How often a network names the class of labelled pictures: top-1 and top-5 accuracy."""

import time
from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..utils.errors import InputError
from .image import decode_image
from .in_turn import in_turn
from .records import BadRecord


@dataclass(frozen=True)
class Accuracy:
    """Shares of `samples` pictures; `top5` is None where there are five classes or fewer.

    `bad_records` could not be read and are not among the samples. Decoding counts in
    `images_per_second`.
    """

    top1: float
    top5: Optional[float]
    samples: int
    bad_records: int
    images_per_second: float


def measure_accuracy(
    network, records, preprocess, normalized=True, batch=32, threads=2, max_bad=0.01
) -> Accuracy:
    """The accuracy of a network on all pictures of a `RecordDataset`, each seen once.

    `network(x)` takes what `read_input` makes of up to `batch` records, fewer at the end and where
    some are bad, and returns logits `(B, classes)`, numpy both. `threads` decode. Bad records are
    named on stderr and left out. Raises InputError where they are more than the share `max_bad`.
    """

    def read(i):
        return read_input(records, i, preprocess, normalized)

    best, among_five, samples, bad = 0, 0, 0, []
    started = time.perf_counter()
    for read_samples in in_turn(records, read, bad, batch, threads, max_bad):
        if read_samples:
            inputs, labels = zip(*read_samples)
            logits = network(np.stack(inputs))
            best += int((logits.argmax(axis=1) == labels).sum())
            samples += len(labels)
            if logits.shape[1] > 5:
                among_five += int((places(logits, labels) < 5).sum())
    seconds = time.perf_counter() - started
    top5 = among_five / samples if logits.shape[1] > 5 else None
    return Accuracy(best / samples, top5, samples, len(bad), samples / seconds)


def places(logits, labels):
    """How many classes stand before each label's, `(B, classes), (B,) -> (B,)`.

    Of equal logits the first stands first, as the trainers count. Behind one that is no number
    stands nothing.
    """
    labels = np.asarray(labels)[:, None]
    own = np.take_along_axis(logits, labels, axis=1)
    behind = (logits < own) | ((logits == own) & (np.arange(logits.shape[1]) >= labels))
    return (~behind).sum(axis=1)


def read_input(records, i, preprocess, normalized=True):
    """Record `i` of a `RecordDataset` as a network's input, and its label.

    The input is float32 `(C, H, W)`; where not `normalized`, the uint8 crop `(H, W, C)`. Raises
    BadRecord, naming the record, where it can't be used.
    """
    data, label = records[i]
    try:
        picture = preprocess.crop(decode_image(data, preprocess.channels))
    except InputError as error:
        raise BadRecord(f"{records.name(i)}: {error}") from None
    return preprocess.normalize(picture) if normalized else picture, label
