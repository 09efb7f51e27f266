"""`manifest.yaml`: which network a folder holds, and the checksums of its files.

Checkpoints, exported networks and entries of the model zoo are such folders. The manifest is
written last, so a folder without one is not complete, and read first, so MXNet never sees a damaged
file.
"""

import contextlib
import dataclasses
import math
import os
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Dict, Optional, Tuple, Union

import yaml

from ..data.clips import CLIP_FIELDS, Clip
from ..data.image import PREPROCESS_FIELDS, Preprocess
from ..networks.paper import get_spec, list_models
from ..plan.fields import spec_from_fields, spec_to_fields
from ..plan.spec import NetSpec
from ..plan.units import BATCH_NORM_MOMENTUM
from ..utils import kinds
from ..utils.errors import InputError
from ..utils.files import read_text, sha256, write_text
from ..utils.version import __version__
from ..utils.yaml_file import parse_yaml
from .card import Card, read_card
from .deployment import OUTPUTS, Deployment, read_deployment

MANIFEST = "manifest.yaml"
WEIGHTS = "weights.params"  # of a checkpoint, beside its momentum
TASKS = ("classify", "segment", "recognize")  # pictures, their pixels, videos
LARGEST = 2**32  # bytes of a file under a manifest: a billion parameters
_COUNT = kinds.whole(0, 10**9)
_OPTIONAL = {
    "step": _COUNT,
    "order": kinds.named(kinds.whole(-(2**63), 2**63)),
    "score": kinds.optional(kinds.number()),
    "top1": kinds.optional(kinds.number()),  # as older versions called it
    "output": kinds.one_of(*OUTPUTS),
    "versions": kinds.named(kinds.LINE),
    "clip": kinds.table(CLIP_FIELDS, optional=CLIP_FIELDS),
    "task": kinds.one_of(*TASKS),
}
# `network`, `card`, `input` and `deployment` are checked by what reads them. What this version does
# not know may stand beside.
FIELDS = kinds.table(
    {
        "model": kinds.FILE_NAME,
        "epoch": _COUNT,
        "preprocess": kinds.table(PREPROCESS_FIELDS),
        "class_names": kinds.listed(kinds.LINE),
        "sha256": kinds.named(kinds.DIGEST, names=kinds.FILE_NAME),
        **_OPTIONAL,
    },
    optional=_OPTIONAL,
    others=True,
)


@dataclass(frozen=True)
class Manifest:
    """The network called `model`, its classes, and how pictures or clips become its input.

    `sha256` has the checksum of each file of the folder. `spec` is the network where its name alone
    does not say it (`registry.unregistered`), and `clip` what a network of videos sees of one.

    A checkpoint has `epoch` epochs and `step` steps of the next one done. `order` is what the order
    of the pictures depends on: `step` means the same only where that is the same. `score` is what
    its evaluation gave, the higher the better (top-1 accuracy, mean IoU), None where it had none.
    A zoo entry always has a `spec`, and a `card`, which says where it is from and how it was
    checked. An exported folder has a `deployment`: its input, precision and checks.

    A network that is not of this project has no spec, whatever its name: `task`, one of `TASKS`,
    says what it does, `clip` what it sees of a video, and until it is exported `output` which of
    its outputs are the logits.
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
    task: Optional[str] = None
    output: Optional[Union[int, str]] = None


def write_manifest(folder, manifest, files):
    """Write the manifest of a folder with the checksums of the named `files` in it.

    Raises InputError where a field has a value that no manifest may have.
    """
    path = Path(folder) / MANIFEST
    digests = {name: sha256(Path(folder) / name) for name in files}
    write_text(path, manifest_text(manifest, digests, path))


def manifest_text(manifest, digests, title) -> str:
    """A manifest in YAML, with the checksums `{file: sha256}`.

    Raises InputError, calling it `title`, where a field has a value that no manifest may have.
    """
    fields = {
        "model": manifest.model,
        "epoch": manifest.epoch,
        "step": manifest.step,
        "order": manifest.order,
        "score": _known(manifest.score),
        "input": {
            "name": "data",
            "layout": "NCDHW" if manifest.clip else "NCHW",
            "dtype": "float32",
        },
        "preprocess": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(manifest.preprocess).items()
        },
        "output": manifest.deployment.output if manifest.deployment else OUTPUTS[0],
        "class_names": list(manifest.class_names),
        "sha256": digests,
        "versions": {"gluon_glore": __version__, **_versions()},
    }
    spec = manifest.spec or _told_apart(manifest.model)
    if manifest.task:
        fields["task"] = manifest.task
    elif spec:
        fields["network"] = spec_to_fields(spec)
    if manifest.clip:
        fields["clip"] = dataclasses.asdict(manifest.clip)
    if manifest.card:
        fields["card"] = manifest.card.fields()
    if manifest.deployment:
        fields["input"], fields["deployment"] = manifest.deployment.fields()
    with _named(title):
        FIELDS.check(fields, "")
    return yaml.safe_dump(fields, sort_keys=False)


def _versions():
    """{package: version} of those installed that a network is made or run with."""
    versions = {}
    for package in ("mxnet", "mxnet-cu112", "onnx", "onnxruntime", "openvino", "torch"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def read_manifest(folder) -> Manifest:
    """Read a folder's manifest and verify its files.

    A file may be a link, also to another folder: the checksum is of what is read. Raises InputError
    naming what is missing or damaged.
    """
    manifest = parse_manifest(Path(folder) / MANIFEST)
    for name, checksum in manifest.sha256.items():
        check_sum(Path(folder) / name, checksum)
    return manifest


def check_sum(file, checksum):
    """Raise InputError where a file is missing, or its checksum is not the manifest's."""
    if not os.path.lexists(file):
        raise InputError(f"{file}: missing")
    if sha256(file, LARGEST) != checksum:
        raise InputError(f"{file}: damaged, its checksum is not the manifest's")


def parse_manifest(path) -> Manifest:
    """The manifest in a file; the files it names are not looked at.

    Raises InputError where it is missing or damaged, naming the field.
    """
    return parse_text(read_text(path), path)


def parse_text(text, path) -> Manifest:
    """The manifest that `manifest_text` made a text of, from the file `path`.

    Raises InputError where it is damaged, naming the field.
    """
    with _named(path):
        fields = parse_yaml(text, aliases=False)  # none are written
        for score in ("score", "top1"):
            if isinstance(fields, dict) and score in fields:
                fields[score] = _known(fields[score])
        FIELDS.check(fields, "")
        if "task" in fields and ("clip" in fields) != (fields["task"] == "recognize"):
            raise InputError(f"task: {fields['task']}, clips are what networks that recognize see")
        if fields.get("output", OUTPUTS[0]) != OUTPUTS[0] and "deployment" not in fields:
            raise InputError(f"output: {fields['output']}, only exported networks give them")
    try:
        return Manifest(
            fields["model"],
            tuple(fields["class_names"]),
            Preprocess(**fields["preprocess"]),
            fields["epoch"],
            fields["sha256"],
            fields.get("step", 0),
            fields.get("order", {}),
            fields.get("score", fields.get("top1")),
            _spec_in(fields),
            read_card(fields["card"]) if "card" in fields else None,
            read_deployment(fields.get("input"), fields["deployment"], fields.get("output"))
            if "deployment" in fields
            else None,
            Clip(**fields["clip"]) if "clip" in fields else None,
            fields.get("task"),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


@contextlib.contextmanager
def _named(path):
    """Raise InputErrors as those of a damaged manifest."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{path}: damaged manifest: {error}") from None


def _known(score):
    """A score, None for that of an evaluation of nothing, which is not a number."""
    return None if isinstance(score, float) and math.isnan(score) else score


def _told_apart(model) -> Optional[NetSpec]:
    """The registered network `model` where files without a spec are read as another, else None."""
    spec = get_spec(model) if model in list_models() else None
    return spec if spec and spec.momentum != BATCH_NORM_MOMENTUM else None


def _spec_in(fields) -> Optional[NetSpec]:
    """The spec in a manifest's fields; None where it is the registered network of their `model`.

    None, too, where a task says that it is none of this project's. Fields without a network were
    written before BatchNorm's momentum was one of them, when all networks had MXNet's, or they are
    of a network that has it today.
    """
    if "task" in fields:
        return None
    if "network" in fields:
        return spec_from_fields(fields["network"], fields["model"])
    spec = _told_apart(fields["model"])
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
    return Path(folder) / names[0]


def spec_of(manifest) -> Optional[NetSpec]:
    """The spec of a `Manifest`'s network: its own, else that of the registered network so called.

    None where it has none and no such network is registered, or it is none of this project's.
    """
    if manifest.task:
        return None
    known = manifest.model in list_models()
    return manifest.spec or (get_spec(manifest.model) if known else None)


def labels_pixels(manifest) -> bool:
    """Whether the network of a `Manifest` labels every pixel, not the picture."""
    spec = spec_of(manifest)
    return manifest.task == "segment" if spec is None else spec.head is not None


def clip_of(manifest) -> Optional[Clip]:
    """The clips that a `Manifest`'s network takes: its own, else the paper's.

    None where the network does not take videos.
    """
    if manifest.task:
        return manifest.clip
    spec = spec_of(manifest)
    return (manifest.clip or Clip(spec.input_size[0])) if spec and spec.ndim == 3 else None
