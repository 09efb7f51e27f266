"""From what a user names (exported folder, training run, network) to classified pictures."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import mxnet as mx
import numpy as np

from .errors import InputError
from .export import import_model, is_export
from .image import Preprocess, read_image
from .manifest import MANIFEST, Manifest, newest_checkpoint, params_of, read_manifest
from .models import fill_model, found_spec
from .weights.root import Found
from .weights.store import find_weights


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
        if getattr(self.manifest, "preprocess_inside", False):
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
    runs on MXNet.
    """
    if Path(model).is_dir() and is_export(model):
        _refuse(model, weights, class_names)
        return _load_exported(model, runtime)
    _only_mxnet(model, runtime)
    net, manifest = load_network(model, weights, class_names)
    net.hybridize(static_alloc=True, static_shape=True)
    return Classifier(_with_numpy(net), manifest)


def _load_exported(folder, runtime):
    _only_mxnet(folder, runtime)
    block, manifest = import_model(folder)
    return Classifier(_with_numpy(block), manifest)


def _only_mxnet(model, runtime):
    if runtime not in (None, "mxnet"):
        raise InputError(f"{model} runs on mxnet, not on {runtime}")


def _with_numpy(block):
    """A Gluon block as a function of numpy arrays."""
    return lambda x: block(mx.nd.array(x, dtype=x.dtype)).asnumpy()


def load_network(model, weights=None, class_names=None):
    """Load a Gluon network with its weights: (Network, Manifest).

    `model` is a training run's directory (its newest checkpoint), a checkpoint, a zoo entry, or a
    name with `weights`, all that `get_model` takes as `pretrained` (default: the catalogue's), and
    `class_names`, a text file with one name a line (default: those of the weights, else numbers).
    Raises InputError where something is missing, damaged or another network's.
    """
    folder = Path(model)
    if folder.is_dir():
        _refuse(model, weights, class_names)
        if (folder / MANIFEST).is_file():
            manifest = read_manifest(folder)
        else:
            folder, manifest = newest_checkpoint(folder, lambda text: print(text, file=sys.stderr))
        found = Found(params_of(folder, manifest), manifest)
        return fill_model(manifest.model, found), manifest
    if folder.name != str(model):  # a path, as no network's name is
        raise InputError(f"{model}: no such directory")
    found = find_weights(model, weights or True)
    spec = found_spec(model, found)
    manifest = found.manifest or _manifest_of(spec)
    if class_names is not None:
        manifest = replace(manifest, class_names=tuple(read_names(class_names)))
    net = fill_model(model, found)
    if not found.manifest and class_names is None:
        manifest = replace(manifest, class_names=tuple(str(i) for i in range(net.classes)))
    if len(manifest.class_names) != net.classes:
        raise InputError(
            f"{found.params}: {net.classes} classes, given {len(manifest.class_names)} names"
        )
    return net, manifest


def _manifest_of(spec):
    """What is assumed of a parameter file that comes without: pictures prepared as the paper's."""
    if spec.in_channels != 3 or spec.ndim != 2:
        raise InputError(
            f"{spec.name} does not take RGB pictures: give a training run, a zoo entry or an "
            "exported folder, which say how its input is prepared"
        )
    return Manifest(spec.name, (), Preprocess.for_size(spec.input_size))


def read_names(path):
    """The lines of a class names file. Raises InputError where it can't be read."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', 'not a text file')}") from None


def _refuse(model, weights, class_names):
    if weights or class_names:
        raise InputError(f"{model} holds its own weights and class names, give no others")
