"""What a network says of each sample of a set: its best classes, with their scores.

Each rank keeps its own samples; `Keeper.gather` gives all ranks those of the whole set, in its
order, and `write_predictions` writes them as CSV.
"""

import csv
from dataclasses import dataclass

import mxnet as mx
import numpy as np

from gluon_glore.utils.errors import naming
from gluon_glore.utils.files import atomic_path

from ..data.batches import dealt

BEST = 5  # classes of a sample


@dataclass(frozen=True)
class Predictions:
    """The samples of a set that could be read, in its order; k is 5, or all classes where fewer.

    `indices` (n,) are their places in the set and `labels` (n,) the numbers of their classes.
    `classes` (n, k) are the numbers of the classes that the network finds best, the best first, and
    `scores` (n, k) its probabilities of these, by the softmax over all classes that are scored.
    """

    indices: np.ndarray
    labels: np.ndarray
    classes: np.ndarray
    scores: np.ndarray

    @property
    def right(self):
        """Whether the best class is the sample's own, (n,) of bool."""
        return self.classes[:, 0] == self.labels


class Keeper:
    """Keeps what a network says of this rank's samples, batch after batch.

    `numbers[i]` is the network's number of the class that logit i is of.
    """

    def __init__(self, numbers):
        self._numbers = np.asarray(numbers)
        self.best = min(BEST, len(self._numbers))
        self._rows = []  # (b, 1 + 2 k) each: label, classes, scores

    def logits(self, logits, labels):
        """Keep a batch, logits `(B, classes)` and labels `(B,)`, both NDArray.

        Nothing is read from the device yet: that would wait for it at every batch.
        """
        # The first of a row is the one that counts in top-1, whatever `topk` makes of equal logits.
        best = [logits.argmax(axis=1)]
        if self.best > 1:
            found = best[0].one_hot(logits.shape[1])
            others = mx.nd.where(found, mx.nd.full(logits.shape, -np.inf, logits.context), logits)
            others = others.topk(k=self.best - 1, axis=1)
            best += [others[:, i] for i in range(self.best - 1)]
        probabilities = mx.nd.softmax(logits)
        scores = [probabilities.pick(classes) for classes in best]
        self._rows.append(mx.nd.stack(labels, *best, *scores, axis=1))

    def watch(self, samples):
        """The same `(probabilities (classes,), label)`, numpy; of equals the first is better."""
        for probabilities, label in samples:
            order = np.argsort(-probabilities, kind="stable")[: self.best]
            self._rows.append(np.array([[label, *order, *probabilities[order]]]))
            yield probabilities, label

    def gather(self, dataset, bad, comm, size=1) -> Predictions:
        """The samples of all ranks; every rank calls this after the last batch.

        By then all ranks know which samples are bad. Each has seen the others of its batches, of
        `size` samples before the bad ones were left out, as `dealt` gives them to it.
        """
        good = np.ones(len(dataset), bool)
        good[list(bad.known)] = False
        batches = dealt(len(dataset), size, comm.rank, comm.size)
        mine = np.concatenate([np.zeros(0, int), *batches])
        table = np.zeros((len(dataset), 1 + 2 * self.best))
        if self._rows:
            rows = (row if isinstance(row, np.ndarray) else row.asnumpy() for row in self._rows)
            table[mine[good[mine]]] = np.concatenate(list(rows))
        table = comm.sum(table)[good]  # exact: all other summands of a place are zero
        numbers = self._numbers[table[:, : 1 + self.best].astype(int)]
        scores = table[:, 1 + self.best :]
        return Predictions(np.flatnonzero(good), numbers[:, 0], numbers[:, 1:], scores)


def write_predictions(path, predictions, dataset, class_names):
    """Write `Predictions` as CSV in UTF-8, a line a sample, the whole file or nothing.

    The columns are the sample's name, as messages about the set have it, number and name of its
    class, then number, name and score of each of the best classes. Raises InputError where the file
    can't be written.
    """
    best = predictions.classes.shape[1]
    header = ["name", "label", "label_name"]
    for place in range(1, best + 1):
        header += [f"class{place}", f"class{place}_name", f"score{place}"]
    said = zip(predictions.indices, predictions.labels, predictions.classes, predictions.scores)
    with naming(path), atomic_path(path) as temporary, _open_csv(temporary) as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(header)
        for index, label, classes, scores in said:
            row = [dataset.name(int(index)), label, class_names[label]]
            for number, score in zip(classes.tolist(), scores.tolist()):
                row += [number, class_names[number], f"{score:.6f}"]
            lines.writerow(row)


def _open_csv(path):
    """A file to write text: a sample's name need not be UTF-8, a CSV is."""
    return open(path, "w", encoding="utf-8", errors="backslashreplace", newline="")
