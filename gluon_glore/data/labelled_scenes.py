"""Scenes that a network of pixels is scored on: found, and its mean IoU on them, seen whole."""

import dataclasses
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

import numpy as np

from ..utils import kinds
from ..utils.errors import InputError
from ..utils.yaml_file import read_yaml
from .confusion import Confusion
from .in_turn import in_turn
from .scenes import Scenes, layout_of

EXPECTED = "Cityscapes' folders, or a YAML file whose section `data` states the set, as a run's"


@dataclass(frozen=True)
class SceneSource:
    """Where labelled scenes are: the keys of a training configuration's section `data`.

    `root` is the set's folder, `val` the split that is seen and `train` the one to train with.
    Without `classes` they are in Cityscapes' folders; else `pictures` and `labels` say where the
    files are, and `classes` and `ignore` what the labels' numbers stand for. Paths are as they are
    in that configuration.
    """

    root: str
    val: str = "val"
    train: str = "train"
    pictures: str = ""
    labels: str = ""
    classes: str = ""
    ignore: Tuple[int, ...] = ()

    @property
    def training(self):
        """The source of the scenes to train with, None where they are those that are seen."""
        return None if self.train == self.val else dataclasses.replace(self, val=self.train)

    @property
    def title(self):
        """What a card calls the set: the name of its folder, and the split's."""
        return f"{Path(self.root).absolute().name}/{self.val}"


_FIELDS = {
    **{name: kinds.LINE for name in ("root", "val", "train", "pictures", "labels", "classes")},
    "ignore": kinds.listed(kinds.whole(0, 2**24 - 1)),
}
_SECTION = kinds.table(_FIELDS, optional=[n for n in _FIELDS if n != "root"], others=True)


def scene_source(source) -> SceneSource:
    """A `SceneSource` as it is, or that of a path: Cityscapes' folders, or a YAML file.

    Raises InputError where it is neither, or the file does not state a set.
    """
    if isinstance(source, SceneSource):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(f"{', '.join(map(str, source))}: one source of scenes is taken")
    path = Path(source).expanduser()
    if path.is_dir():
        return SceneSource(str(path))
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path}: no set of scenes, expected {EXPECTED}")
    fields = read_yaml(path)
    try:
        kinds.table({"data": kinds.ANYTHING}, others=True).check(fields, "")
        return source_of_section(fields["data"])
    except InputError as error:
        raise InputError(f"{path} states no set of scenes: {error}") from None


def source_of_section(data) -> SceneSource:
    """The `SceneSource` of a section `data`. Raises InputError where it states none."""
    _SECTION.check(data, "data")
    known = {name: data[name] for name in _FIELDS if name in data}
    return SceneSource(**{**known, "ignore": tuple(known.get("ignore", ()))})


def scenes_for(model, class_names, source: SceneSource) -> Scenes:
    """The scenes of a source for the network `model` of these classes, in their order.

    Raises InputError as `Scenes` does, and where the set has other classes.
    """
    scenes = Scenes(source.root, source.val, layout=layout_of(source))
    check_classes(model, class_names, scenes.classes.names)
    return scenes


def check_classes(model, given, expected):
    """Raise InputError where a network's classes are not those of a set, in its order."""
    if tuple(given) == tuple(expected):
        return
    if len(given) != len(expected):
        raise InputError(f"{model}: it tells {len(given)} classes apart, the set {len(expected)}")
    place = next(i for i, pair in enumerate(zip(given, expected)) if pair[0] != pair[1])
    raise InputError(
        f"{model}: its class {place} is {given[place]!r}, that of the set is {expected[place]!r}"
    )


@dataclass(frozen=True)
class PixelScores:
    """Mean IoU of the classes, and the share of the labelled pixels that are right.

    `bad_records` scenes could not be read and are not among the `samples`. Decoding counts in
    `images_per_second`.
    """

    miou: float
    accuracy: float
    samples: int
    bad_records: int
    images_per_second: float


def measure_scenes(
    network, scenes, preprocess, fits=lambda size: None, threads=2, max_bad=0.01
) -> PixelScores:
    """The scores of a network on all scenes of a `Scenes`, each seen once and whole.

    `network(x)` maps float32 `(1, C, H, W)` of the scene's own size to logits `(1, classes, H, W)`,
    numpy both; `fits(size)` raises InputError where the network does not take that. `threads`
    decode. Bad scenes are named on stderr and left out. Raises InputError where they are more than
    the share `max_bad`, where no pixel has a label, and where logits are of another shape or not
    finite.
    """

    def read(i):
        picture, label = scenes[i]
        fits(picture.shape[:2])
        return preprocess.normalize(picture), label

    confusion, samples, bad = Confusion(len(scenes.classes.names)), 0, []
    started = time.perf_counter()
    for read_scenes in in_turn(scenes, read, bad, 1, threads, max_bad, "scene"):
        for x, label in read_scenes:
            logits = network(x[None])
            expected = (1, len(confusion.matrix), *label.shape)
            if logits.shape != expected or not np.isfinite(logits).all():
                found = "not finite" if logits.shape == expected else f"of shape {logits.shape}"
                raise InputError(f"logits are {found}, {expected} of finite numbers are expected")
            confusion.add(logits[0].argmax(axis=0).astype(np.uint8), label)
            samples += 1
    if not confusion.matrix.any():
        raise InputError(f"{scenes.path}: no labelled pixel in it")
    seconds = time.perf_counter() - started
    scores = confusion.miou(), confusion.accuracy()
    return PixelScores(*scores, samples, len(bad), samples / seconds)
