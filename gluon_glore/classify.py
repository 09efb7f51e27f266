"""From what a user names (exported folder, training run, network) to classified pictures."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable

import mxnet as mx

from .errors import InputError
from .export import import_model, is_export
from .image import Preprocess, read_image
from .manifest import MANIFEST, Manifest, newest_checkpoint, params_of, read_manifest
from .models import fill_model, found_spec
from .weights.root import Found
from .weights.store import find_weights


@dataclass(frozen=True)
class Classifier:
    """A network ready to use: `network` maps `(B, C, H, W)` to logits `(B, classes)`."""

    network: Callable
    manifest: Manifest

    def predict(self, path, top=5):
        """`classify` for a picture file. Raises InputError, naming the file, where it can't."""
        try:
            return self.classify(read_image(path, self.manifest.preprocess.channels), top)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def classify(self, picture, top=5):
        """The `top` likeliest classes of a picture, `[(class name, probability), ...]`.

        `picture` is uint8 `(H, W, C)`. Raises InputError where its size or depth does not fit.
        """
        x = self.manifest.preprocess(picture)
        probabilities = mx.nd.softmax(self.network(mx.nd.array(x[None])))[0].asnumpy()
        best = probabilities.argsort()[::-1][:top]
        return [(self.manifest.class_names[i], float(probabilities[i])) for i in best]


def load_classifier(model, weights=None, class_names=None) -> Classifier:
    """Load an exported folder, or what `load_network` takes. Raises InputError where it can't."""
    if Path(model).is_dir() and is_export(model):
        _refuse(model, weights, class_names)
        block, manifest = import_model(model)
        return Classifier(block, manifest)
    net, manifest = load_network(model, weights, class_names)
    net.hybridize(static_alloc=True, static_shape=True)
    return Classifier(net, manifest)


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
