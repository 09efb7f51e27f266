"""`manifest.yaml`: which network a folder holds, and the checksums of its files.

Checkpoints, exported networks and entries of the model zoo are such folders. The manifest is
written last, so a folder without one is not complete, and read first, so MXNet never sees a damaged
file.
"""

import contextlib
import dataclasses
import os
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Dict, Optional, Tuple

import yaml

from ..data.clips import Clip
from ..data.image import Preprocess
from ..networks.paper import get_spec, list_models
from ..plan.fields import spec_from_fields, spec_to_fields
from ..plan.spec import NetSpec
from ..plan.units import BATCH_NORM_MOMENTUM
from ..utils.errors import InputError
from ..utils.files import sha256, write_text
from ..utils.version import __version__
from ..utils.yaml_file import read_yaml
from .card import Card, read_card
from .deployment import Deployment, read_deployment

MANIFEST = "manifest.yaml"
WEIGHTS = "weights.params"  # of a checkpoint, beside its momentum


@dataclass(frozen=True)
class Manifest:
    """The network called `model`, its classes, and how pictures or clips become its input.

    `sha256` has the checksum of each file of the folder. `spec` is the network where its name alone
    does not say it (`registry.unregistered`), and `clip` what a network of videos sees of one.

    A checkpoint has `epoch` epochs and `step` steps of the next one done. `order` is what the order
    of the pictures depends on: `step` means the same only where that is the same. `score` is what
    its evaluation gave, the higher the better (top-1 accuracy, mean IoU), None within an epoch.
    A zoo entry always has a `spec`, and a `card`, which says where it is from and how it was
    checked. An exported folder has a `deployment`: its input, precision and checks.
    """

    model: str
    class_names: Tuple[str, ...]
    preprocess: Preprocess
    epoch: int = 0
    sha256: Dict[str, str] = field(default_factory=dict)
    step: int = 0
    order: Dict[str, int] = field(default_factory=dict)
    score: Optional[float] = None
    spec: Optional[NetSpec] = None
    card: Optional[Card] = None
    deployment: Optional[Deployment] = None
    clip: Optional[Clip] = None


def write_manifest(folder, manifest, files):
    """Write the manifest of a folder with the checksums of the named `files` in it."""
    fields = {
        "model": manifest.model,
        "epoch": manifest.epoch,
        "step": manifest.step,
        "order": manifest.order,
        "score": manifest.score,
        "input": {
            "name": "data",
            "layout": "NCDHW" if manifest.clip else "NCHW",
            "dtype": "float32",
        },
        "preprocess": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(manifest.preprocess).items()
        },
        "output": "logits",
        "class_names": list(manifest.class_names),
        "sha256": {name: sha256(Path(folder) / name) for name in files},
        "versions": {"gluon_glore": __version__, **_versions()},
    }
    spec = manifest.spec or _told_apart(manifest.model)
    if spec:
        fields["network"] = spec_to_fields(spec)
    if manifest.clip:
        fields["clip"] = dataclasses.asdict(manifest.clip)
    if manifest.card:
        fields["card"] = manifest.card.fields()
    if manifest.deployment:
        fields["input"], fields["deployment"] = manifest.deployment.fields()
    write_text(Path(folder) / MANIFEST, yaml.safe_dump(fields, sort_keys=False))


def _versions():
    """{package: version} of those installed that a network is made or run with."""
    versions = {}
    for package in ("mxnet", "mxnet-cu112", "onnx", "onnxruntime", "openvino"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def read_manifest(folder) -> Manifest:
    """Read a folder's manifest and verify its files.

    Raises InputError naming what is missing or damaged.
    """
    manifest = parse_manifest(Path(folder) / MANIFEST)
    for name, checksum in manifest.sha256.items():
        file = Path(folder) / os.path.basename(name)
        if not file.is_file():
            raise InputError(f"{file}: missing")
        if sha256(file) != checksum:
            raise InputError(f"{file}: damaged, its checksum is not the manifest's")
    return manifest


def parse_manifest(path) -> Manifest:
    """The manifest in a file; the files it names are not looked at.

    Raises InputError where it is missing or damaged.
    """
    try:
        fields = read_yaml(path, aliases=False)  # none are written
        preprocess = {
            key: tuple(value) if isinstance(value, list) else value
            for key, value in fields["preprocess"].items()
        }
        model = str(fields["model"])
        return Manifest(
            model,
            tuple(fields["class_names"]),
            Preprocess(**preprocess),
            int(fields["epoch"]),
            dict(fields["sha256"]),
            int(fields.get("step", 0)),
            dict(fields.get("order", {})),
            fields.get("score", fields.get("top1")),  # as older versions called it
            _spec_in(fields, model),
            read_card(fields["card"]) if "card" in fields else None,
            read_deployment(fields["input"], fields["deployment"])
            if "deployment" in fields
            else None,
            Clip(**fields["clip"]) if "clip" in fields else None,
        )
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: damaged manifest") from None


def _told_apart(model) -> Optional[NetSpec]:
    """The registered network `model` where files without a spec are read as another, else None."""
    spec = get_spec(model) if model in list_models() else None
    return spec if spec and spec.momentum != BATCH_NORM_MOMENTUM else None


def _spec_in(fields, model) -> Optional[NetSpec]:
    """The spec in a manifest's fields; None where it is the registered network `model`.

    Without one they were written before BatchNorm's momentum was a field, when all networks had
    MXNet's, or they are of a network that has it today.
    """
    if "network" in fields:
        return spec_from_fields(fields["network"], model)
    spec = _told_apart(model)
    return spec and dataclasses.replace(spec, momentum=BATCH_NORM_MOMENTUM)


def params_of(folder, manifest) -> Path:
    """The parameter file of a folder with a manifest.

    Raises InputError where it has none, or only those of a graph for inference.
    """
    if manifest.deployment and not manifest.deployment.plain:
        raise InputError(
            f"{folder}: exported for inference, its parameters are not the network's own: export "
            "with --plain"
        )
    names = [name for name in manifest.sha256 if name.endswith(".params")]
    if WEIGHTS in names:
        names = [WEIGHTS]
    if len(names) != 1:
        raise InputError(f"{folder}: one parameter file is needed, given {len(names)}")
    return Path(folder) / os.path.basename(names[0])


def spec_of(manifest) -> Optional[NetSpec]:
    """The spec of a `Manifest`'s network: its own, else that of the registered network so called.

    None where it has none and no such network is registered.
    """
    known = manifest.model in list_models()
    return manifest.spec or (get_spec(manifest.model) if known else None)


def labels_pixels(manifest) -> bool:
    """Whether the network of a `Manifest` labels every pixel, not the picture."""
    spec = spec_of(manifest)
    return spec is not None and spec.head is not None


def clip_of(manifest) -> Optional[Clip]:
    """The clips that a `Manifest`'s network takes: its own, else the paper's.

    None where the network does not take videos.
    """
    spec = spec_of(manifest)
    return (manifest.clip or Clip(spec.input_size[0])) if spec and spec.ndim == 3 else None
