"""What `get_model` and `load_network` are asked for, before a spelling makes the network of it."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Tuple

from ..data.class_names import names_of
from ..data.pixels import HOW
from ..networks.registry import get_spec
from ..utils.errors import InputError
from ..utils.files import absent
from ..weights.manifest import MANIFEST, Manifest, clip_of, params_of, read_manifest
from ..weights.run_folder import newest_checkpoint
from .cache import Found
from .find_weights import find_weights
from .network_weights import (
    Filling,
    fill_network,
    fitted_pixels,
    found_spec,
    of_channels,
    told_pixels,
)


def open_model(name, classes, pretrained, root, preprocess, in_channels, features):
    """(Filling, `Preprocess` or None) that `get_model` is asked for. Raises InputError as that."""
    if features is not None and classes is not None:
        raise InputError(f"features gives maps, not classes: leave classes={classes} out")
    if pretrained is False:
        spec = of_channels(get_spec(name), in_channels)
        return Filling(spec, classes), fitted_pixels(spec, preprocess)
    found = find_weights(name, pretrained, root, preprocess)
    spec = found_spec(name, found)
    told = told_pixels(spec, found, preprocess, in_channels)
    return fill_network(spec, found, classes, in_channels), told


def _warn(text):
    """Print a line on stderr."""
    print(text, file=sys.stderr)


@dataclass(frozen=True)
class Opened:
    """A network of this project with its weights: what fills it, and its manifest."""

    filling: Filling
    manifest: Manifest


def manifest_in(folder) -> Tuple[Path, Manifest]:
    """(folder, manifest) of a folder with weights, or of a run's newest checkpoint.

    Raises InputError where they are damaged, or of a network that only its own code makes.
    """
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
    else:
        folder, manifest = newest_checkpoint(folder, _warn)
    if manifest.task and manifest.deployment is None:
        raise InputError(
            f"{params_of(folder, manifest)}: weights of {manifest.model}, a network that only "
            "its own code makes: load_weights(net, FILE), then export_model(net, ...)"
        )
    return folder, manifest


def open_folder(folder, manifest) -> Opened:
    """The network of this project in a folder with that manifest. Raises InputError as a whole."""
    found = Found(params_of(folder, manifest), manifest)
    filling = fill_network(found_spec(manifest.model, found), found)
    _refuse_other_classes(filling, manifest, folder / MANIFEST)
    return Opened(filling, manifest)


def open_named(model, weights=None, class_names=None, preprocess=None) -> Opened:
    """The network `model` with its weights, as `load_network` takes them.

    Raises InputError where something is missing, damaged or another network's.
    """
    found = find_weights(model, weights or True, preprocess=preprocess)
    spec = found_spec(model, found)
    filling = fill_network(spec, found)
    if filling.inflated:
        raise InputError(
            f"{found.params}: weights of a network of pictures, with which {spec.name} can begin "
            "to be trained, but not yet tell classes apart"
        )
    told = told_pixels(spec, found, preprocess)
    manifest = found.manifest or _manifest_without(spec, found.params, told)
    if class_names is not None:
        manifest = replace(manifest, class_names=names_of(class_names))
    elif not found.manifest:
        manifest = replace(manifest, class_names=tuple(map(str, range(filling.classes))))
    _refuse_other_classes(filling, manifest, found.params)
    return Opened(filling, manifest)


def open_own(model) -> Opened:
    """What `load_network` opens of a network of this project alone: a folder, or a name.

    Raises InputError as that does, and for any other network.
    """
    folder = Path(model)
    if not folder.is_dir():
        refuse_path(model)
        return open_named(model)
    folder, manifest = manifest_in(folder)
    refuse_others(manifest)
    return open_folder(folder, manifest)


def refuse_others(manifest):
    """Raise InputError for the manifest of a network that is none of this project's."""
    if manifest.task:
        raise InputError(
            f"{manifest.model} is no network of this project: export, check, predict and serve "
            "take it"
        )


def refuse_path(model, also=""):
    """Raise InputError where a model that is no folder is a path, as no network's name is."""
    if Path(model).name != str(model):
        end = "" if Path(model).exists() else also
        raise InputError(f"{model}: {absent(model, 'directory')}{end}")


def _manifest_without(spec, params, preprocess):
    """The manifest of a parameter file that comes without, with its pixels as they were told.

    A video's clips are every 8th frame, as many as the network takes: the paper's. Raises
    InputError where nothing says how its input is prepared.
    """
    if spec.ndim == 1:
        raise InputError(
            f"{spec.name} does not take pictures: give a training run, a zoo entry or an exported "
            "folder, which say how its input is prepared"
        )
    if preprocess is None:
        raise InputError(f"{params}: nothing says how pixels are prepared for these weights: {HOW}")
    manifest = Manifest(spec.name, (), preprocess)
    return replace(manifest, clip=clip_of(manifest))


def refuse_extras(model, *given):
    """Raise InputError where weights, names, pixels or more are given for what holds its own."""
    if any(given):
        raise InputError(
            f"{model} holds its own weights and class names and pixels, give no others"
        )


def _refuse_other_classes(filling, manifest, file):
    """Raise InputError, naming a file, where a network's classes are more or fewer than names."""
    if len(manifest.class_names) != filling.classes:
        raise InputError(
            f"{file}: {filling.classes} classes, given {len(manifest.class_names)} names"
        )
