"""A training run's folder: its checkpoints, by name, score and age."""

import contextlib
import re
from pathlib import Path
from typing import Optional, Tuple

from ..data.labelled_pictures import PictureSource
from ..data.labelled_scenes import source_of_section
from ..data.labelled_videos import VideoSource
from ..utils.errors import InputError
from ..utils.files import read_text
from ..utils.json_text import parse_json
from .manifest import (
    MANIFEST,
    Manifest,
    clip_of,
    labels_pixels,
    parse_manifest,
    read_manifest,
)

_CHECKPOINT = re.compile(r"epoch-(\d+)(?:-step-(\d+))?")


def checkpoint_name(epoch, step=0):
    """The folder of a checkpoint `step` steps after `epoch` whole epochs."""
    return f"epoch-{epoch:04d}" + (f"-step-{step:06d}" if step else "")


def checkpoints(run):
    """The checkpoint folders of a training run, oldest first."""
    folders = (Path(run) / "checkpoints").glob("epoch-*")
    return sorted(filter(position_of, folders), key=position_of)


def position_of(folder) -> Optional[Tuple[int, int]]:
    """(epochs, steps of the next) done at a checkpoint, as its name says; None for other names."""
    match = _CHECKPOINT.fullmatch(folder.name)
    return match and (int(match[1]), int(match[2] or 0))


def best_checkpoint(run) -> Optional[Path]:
    """The checkpoint of the highest score (the first of equals), None where none has one.

    Only manifests are read: `read_manifest` says whether the checkpoint's files are whole.
    """
    scores = {}
    for folder in checkpoints(run):
        with contextlib.suppress(InputError):
            scores[folder] = parse_manifest(folder / MANIFEST).score
    known = {folder: score for folder, score in scores.items() if score is not None}
    return max(known, key=known.get, default=None)


def newest_checkpoint(run, warn) -> Tuple[Path, Manifest]:
    """The newest whole checkpoint; damaged ones are named to `warn(text)` and passed over.

    Raises InputError where there is none.
    """
    for folder in reversed(checkpoints(run)):
        try:
            return folder, read_manifest(folder)
        except InputError as error:
            warn(f"warning: {error}; going back to the checkpoint before")
    raise InputError(f"{run}: no checkpoint in it")


def validation_set(run) -> PictureSource:
    """The labelled pictures that a finished run was evaluated on.

    Raises InputError where nothing says them.
    """
    with _told(run, "FILE.rec, a folder or a list"):
        config = _config(run)
        data, root = config["data"], _text(config["data"].get("root", ""))
        if data["val"]:
            return PictureSource(_paths(data["val"]), root)
        share, seed = data["val_share"], config["seed"]
        if not 0 < share < 1 or type(seed) is not int or seed < 0:
            raise TypeError
        rest = parse_manifest(checkpoints(run)[-1] / MANIFEST).order.get("pictures")
        return PictureSource(_paths(data["train"]), root, share, seed, rest)


def validation_source(run, manifest):
    """What a finished run was evaluated on, as `open_samples` takes it for the run's `Manifest`.

    Raises InputError where nothing says it.
    """
    if clip_of(manifest):
        places = data_section(run, "VIDEOS")
        return VideoSource(places["val"], places["root"])
    if not labels_pixels(manifest):
        return validation_set(run)
    with _told(run, "SCENES"):
        return source_of_section(_config(run)["data"])


def data_section(run, kind):
    """The "val" and "root" of a finished run's section `data`, root "" where it has none.

    Raises InputError where nothing says them; `kind` is the metavar of --data, to be given instead.
    """
    with _told(run, kind):
        data = _config(run)["data"]
        return {"val": _text(data["val"]), "root": _text(data.get("root", ""))}


def _config(run):
    """The configuration of a finished run, of whatever type."""
    return parse_json(read_text(Path(run) / "summary.json"))["config"]


@contextlib.contextmanager
def _told(run, kind):
    """Raise InputError where what is looked for is not there, or of another type."""
    try:
        yield
    except (InputError, LookupError, TypeError, AttributeError):
        raise InputError(f"{run} does not say its validation set: give --data {kind}") from None


def _text(value):
    """A text; raises TypeError for what is none."""
    if not isinstance(value, str):
        raise TypeError
    return value


def _paths(value):
    """A path, or a tuple of them for a list; raises TypeError for what is neither."""
    return tuple(map(_text, value)) if isinstance(value, list) else _text(value)
