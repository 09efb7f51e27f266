"""From what a user names (training run, checkpoint, zoo entry, network) to a Gluon network."""

import sys
from dataclasses import replace
from pathlib import Path

from .errors import InputError
from .image import Preprocess
from .manifest import MANIFEST, Manifest, newest_checkpoint, params_of, read_manifest
from .models import fill_model, found_spec
from .weights import load_arrays
from .weights.root import Found
from .weights.store import find_weights
from .zoo import clip_of


def load_network(model, weights=None, class_names=None):
    """Load a Gluon network with its weights: (Network, Manifest).

    `model` is a training run's directory (its newest checkpoint), a checkpoint, a zoo entry, or a
    name with `weights`, all that `get_model` takes as `pretrained` (default: the catalogue's), and
    `class_names`, a text file with one name a line (default: those of the weights, else numbers).
    Raises InputError where something is missing, damaged or another network's.
    """
    folder = Path(model)
    if folder.is_dir():
        refuse_extras(model, weights, class_names)
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
    _refuse_flat(spec, found.params)
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


def _refuse_flat(spec, params):
    """Raise InputError for a 2-D network's weights in a 3-D one: its classifier would be random."""
    if spec.ndim == 3 and all(array.ndim < 5 for array in load_arrays(params).values()):
        raise InputError(
            f"{params}: weights of a network of pictures, with which {spec.name} can begin to be "
            "trained, but not yet tell classes apart"
        )


def _manifest_of(spec):
    """What is assumed of a parameter file that comes without: pictures prepared as the paper's.

    So are the frames of a video, and its clips: the network's own length, every 8th frame.
    """
    if spec.in_channels != 3 or spec.ndim == 1:
        raise InputError(
            f"{spec.name} does not take RGB pictures: give a training run, a zoo entry or an "
            "exported folder, which say how its input is prepared"
        )
    manifest = Manifest(spec.name, (), Preprocess.for_size(spec.input_size[-2:]))
    return replace(manifest, clip=clip_of(manifest))


def read_names(path):
    """The lines of a class names file. Raises InputError where it can't be read."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', 'not a text file')}") from None


def refuse_extras(model, weights, class_names):
    """Raise InputError where weights or class names are given for what holds its own."""
    if weights or class_names:
        raise InputError(f"{model} holds its own weights and class names, give no others")
