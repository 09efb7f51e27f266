"""A PyTorch network's parameters as safetensors, with a manifest in the file that tells it."""

from dataclasses import replace
from pathlib import Path
from typing import Optional

from ..networks.registry import check_name, unregistered
from ..utils.errors import InputError
from .manifest import Manifest, manifest_text, parse_text
from .safetensors_file import SUFFIX, read_metadata, write_safetensors

_KEY = "gluon_glore"  # of the metadata


def save_weights(net, path, class_names=None):
    """Write the parameters of a `gluon_glore.pytorch.Network` as safetensors, whole or not at all.

    Where its `preprocess` says how pictures become its input, the file says it too, with the
    network and its `class_names` (default: numbers), and whoever reads it follows that. Raises
    InputError where the names are more or fewer than the classes, or the ending is another.
    """
    if Path(path).suffix != SUFFIX:
        raise InputError(f"{path}: a file of safetensors ends in {SUFFIX}")
    told = net.preprocess is not None and net.classes
    write_state(net, path, manifest_of(net, class_names) if told else None)


def write_state(net, path, manifest=None):
    """Write the state dict of a PyTorch network as safetensors, with a `Manifest` where given.

    Raises InputError where the disk does not take it.
    """
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in net.state_dict().items()}
    metadata = {"format": "pt"}  # what other readers tell PyTorch's files by
    if manifest is not None:
        metadata[_KEY] = manifest_text(manifest, {}, path)
    write_safetensors(path, arrays, metadata)


def manifest_of(net, class_names=None, name=None) -> Manifest:
    """The manifest of a PyTorch network that carries its `preprocess`, by its own name or `name`.

    Raises InputError where the names are more or fewer than the classes.
    """
    names = tuple(map(str, range(net.classes) if class_names is None else class_names))
    if len(names) != net.classes:
        raise InputError(f"{net.spec.name}: {net.classes} classes, given {len(names)} names")
    name = name or net.spec.name
    check_name(name)
    spec = replace(net.spec, classes=net.classes, name=name)
    return Manifest(name, names, net.preprocess, spec=unregistered(spec, name))


def own_manifest(path) -> Optional[Manifest]:
    """The manifest in a file of `save_weights`, None in any other. Raises InputError if damaged."""
    if Path(path).suffix != SUFFIX or not Path(path).is_file():
        return None
    text = read_metadata(path, _KEY)
    return parse_text(text, path) if text else None
