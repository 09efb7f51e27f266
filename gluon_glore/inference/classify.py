"""From what a user names (exported folder, training run, network) to classified pictures."""

from dataclasses import dataclass
from typing import Callable

import numpy as np

from ..data.image import read_image
from ..utils.errors import InputError
from ..weights.manifest import Manifest
from .predictor import DOES, load_ready


@dataclass(frozen=True)
class Classifier:
    """A network ready to use: `network` maps what `prepare` makes, stacked, to logits.

    Arrays are numpy's: `(B, C, H, W)` float32, or `(B, H, W, C)` uint8 for a network that does the
    normalising itself, to `(B, classes)`. `runtime` says what runs it.
    """

    network: Callable[[np.ndarray], np.ndarray]
    manifest: Manifest
    runtime: str = "mxnet"

    def predict(self, path, top=5):
        """`classify` for a picture file. Raises InputError, naming the file, where it can't."""
        try:
            return self.classify(read_image(path, self.channels), top)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def classify(self, picture, top=5):
        """The `top` likeliest classes of a picture, `[(class name, probability), ...]`.

        `picture` is uint8 `(H, W, C)`. Raises InputError where its size or depth does not fit.
        """
        return self.classify_all([picture], top)[0]

    def classify_all(self, pictures, top=5):
        """`classify` for some pictures in one batch: a list of what `classify` gives."""
        logits = self.logits([self.prepare(picture) for picture in pictures])
        return [self.best(row, top) for row in logits]

    @property
    def channels(self) -> int:
        """Those of the pictures: 3 is RGB, 1 grey."""
        return self.manifest.preprocess.channels

    def prepare(self, picture):
        """The network's input of a picture, uint8 `(H, W, C)`: free of the GIL for the most part.

        Raises InputError where its size or depth does not fit.
        """
        preprocess = self.manifest.preprocess
        deployment = self.manifest.deployment
        if deployment and deployment.takes_pictures:
            return preprocess.crop(picture)
        return preprocess(picture)

    def logits(self, inputs):
        """Logits `(B, classes)` of B prepared pictures."""
        return self.network(np.stack(inputs))

    def best(self, logits, top=5):
        """The `top` likeliest classes of one picture's logits, `[(class name, probability), ...]`.

        Raises InputError where the logits are not finite.
        """
        return likeliest(softmax(logits), self.manifest.class_names, top)


def load_classifier(model, weights=None, class_names=None, runtime=None) -> Classifier:
    """A `load_ready` network that classifies. Raises InputError where it can't be had."""
    ready = load_ready(model, weights, class_names, runtime)
    if ready.does != DOES[0]:
        raise InputError(f"{ready.manifest.model} {ready.does}: give a network that {DOES[0]}")
    return Classifier(*ready)


def softmax(logits):
    """Probabilities, float32, over the last axis. Raises InputError where one is not finite."""
    if not np.isfinite(logits).all():
        raise InputError("the network's outputs are not finite: its weights are no good")
    probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float32)
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return probabilities


def likeliest(probabilities, class_names, top=5):
    """The `top` classes of the highest probabilities `(classes,)`: `[(class name, its), ...]`."""
    order = (-probabilities).argsort(kind="stable")[:top]
    return [(class_names[i], float(probabilities[i])) for i in order]


def top_fields(top, figure="probability"):
    """The first classes as JSON has them, of `predict` and of `serve`."""
    return [{"class": name, figure: round(number, 6)} for name, number in top]
