"""Scores of segmentation by a confusion matrix.

Intersection over union (IoU) of a class, tp / (tp + fp + fn) over the pixels of all pictures, and
the mean over classes.
"""

import math

import numpy as np

from ..utils.errors import InputError
from .cityscapes import IGNORE


class Confusion:
    """Confusion matrix: `matrix[label, predicted]` counts pixels, int64.

    The sum of several processes' matrices is that of all their pixels.
    """

    def __init__(self, classes):
        self.matrix = np.zeros((classes, classes), np.int64)

    def add(self, predicted, label):
        """Count the pixels of two arrays of train ids of one shape, but where the label is IGNORE.

        Raises InputError where an id is no class's.
        """
        if predicted.shape != label.shape:
            raise InputError(f"predicted {predicted.shape} pixels, labelled {label.shape}")
        counted = label != IGNORE
        predicted, label = predicted[counted].astype(np.intp), label[counted].astype(np.intp)
        classes = len(self.matrix)
        for what, ids in (("predicted", predicted), ("labelled", label)):
            if ids.size and (ids.min() < 0 or ids.max() >= classes):
                raise InputError(
                    f"{what} train ids {ids.min()} to {ids.max()}, 0 to {classes - 1} allowed"
                )
        counts = np.bincount(label * classes + predicted, minlength=classes**2)
        self.matrix += counts.reshape(classes, classes)

    def iou(self):
        """IoU of each class, float64 `(classes,)`; nan of one neither labelled nor predicted."""
        hits = self.matrix.diagonal()
        union = self.matrix.sum(axis=0) + self.matrix.sum(axis=1) - hits
        return _ratio(hits, union)

    def miou(self):
        """The mean IoU of the classes that have one, nan where none has."""
        return _mean(self.iou())

    def accuracy(self):
        """The share of the pixels that are right, nan where there is none."""
        return float(_ratio(self.matrix.trace(), self.matrix.sum()))


def _ratio(part, whole):
    """part / whole, nan where both are 0."""
    with np.errstate(invalid="ignore"):
        return np.true_divide(part, whole)


def _mean(scores):
    """The mean of the scores that are not nan, nan where all are."""
    known = scores[~np.isnan(scores)]
    return float(known.mean()) if known.size else math.nan


def class_scores(confusion, names):
    """The scores of a `Confusion`: "miou", "accuracy", and "classes", {name: IoU}.

    None stands for a score that does not exist: of a class neither labelled nor predicted.
    """
    return {
        "miou": known(confusion.miou()),
        "accuracy": known(confusion.accuracy()),
        "classes": {name: known(iou) for name, iou in zip(names, confusion.iou())},
    }


def known(score):
    """The score as a float, None where it is nan."""
    return None if math.isnan(score) else float(score)
