"""Pictures to their likeliest classes."""

import numpy as np

from ..data.image import read_image
from ..export.runtime import refuse_infinite
from ..utils.errors import InputError
from .predictor import Predictor, Task, load_predictor


class Classifier(Predictor):
    """A network of pictures: `network` maps a batch that `prepare` made to logits `(B, classes)`.

    The batch is float32 `(B, C, H, W)`, or uint8, `(B, H, W, C)` or as its deployment's layout
    says, where the network normalizes pixels itself.
    """

    required_task = Task.CLASSIFY

    def predict(self, path, top=5):
        """`classify` a picture file. Raises InputError, naming the file, where it can't be read."""
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
        """`classify` several pictures in one batch: a list of what `classify` gives."""
        logits = self.logits([self.prepare(picture) for picture in pictures])
        return [self.best(row, top) for row in logits]

    def prepare(self, picture):
        """The network's input for one picture, uint8 `(H, W, C)`. Mostly runs without the GIL.

        Raises InputError where the picture's size or depth does not fit.
        """
        preprocess = self.manifest.preprocess
        if not self.takes_pictures:
            return preprocess(picture)
        return self.manifest.deployment.laid_out(preprocess.crop(picture))

    def logits(self, inputs):
        """Logits `(B, classes)` of B prepared pictures."""
        return self.network(np.stack(inputs))

    def best(self, logits, top=5):
        """The `top` likeliest classes of one picture's logits, `[(class name, probability), ...]`.

        Raises InputError where the logits are not finite.
        """
        return likeliest(softmax(logits), self.manifest.class_names, top)


def load_classifier(
    model, weights=None, class_names=None, runtime=None, preprocess=None, signature=None
) -> Classifier:
    """Load a network of pictures as `load_predictor` does.

    Raises InputError where it can't be loaded, or does not classify pictures.
    """
    predictor = load_predictor(model, weights, class_names, runtime, preprocess, signature)
    return Classifier.of(predictor)


def softmax(logits):
    """Probabilities, float32, over the last axis. Raises OutputError where one is not finite."""
    refuse_infinite(logits)
    probabilities = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float32)
    probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return probabilities


def likeliest(probabilities, class_names, top=5):
    """The `top` likeliest of `probabilities` `(classes,)`: `[(class name, probability), ...]`."""
    order = (-probabilities).argsort(kind="stable")[:top]
    return [(class_names[i], float(probabilities[i])) for i in order]


def top_fields(top, figure="probability"):
    """The first classes as `predict` and `serve` write them in JSON: a list of dictionaries.

    `top` is a list of (class name, number), `figure` the name of that number.
    """
    return [{"class": name, figure: round(number, 6)} for name, number in top]
