"""From what a user names (exported folder, training run, network) to classified pictures."""

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import numpy as np

from .errors import InputError
from .image import read_image
from .manifest import Manifest
from .runtimes import is_export, read_files, start_runtime


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
        if not np.isfinite(logits).all():
            raise InputError("the network's outputs are not finite: its weights are no good")
        probabilities = np.exp(logits - logits.max(), dtype=np.float32)
        probabilities /= probabilities.sum()
        order = (-probabilities).argsort(kind="stable")[:top]
        return [(self.manifest.class_names[i], float(probabilities[i])) for i in order]


def load_classifier(model, weights=None, class_names=None, runtime=None) -> Classifier:
    """Load an exported folder, or what `load_network` takes. Raises InputError where it can't.

    `runtime` runs an exported folder (default: the one that is best here); what is not exported
    runs on MXNet, which is imported for nothing else.
    """
    if Path(model).is_dir() and is_export(model):
        if weights or class_names:
            raise InputError(f"{model} holds its own weights and class names, give no others")
        files = read_files(model)
        network = start_runtime(files, runtime)
        return Classifier(network, files.manifest, network.name)
    if runtime not in (None, "mxnet"):
        raise InputError(f"{model} runs on mxnet, not on {runtime}: export it first")
    import mxnet as mx

    from .load import load_network

    net, manifest = load_network(model, weights, class_names)
    net.hybridize(static_alloc=True, static_shape=True)
    return Classifier(lambda x: net(mx.nd.array(x)).asnumpy(), manifest)
