"""Scenes labelled pixel by pixel: pictures, and PNGs of the same size that say each pixel's class.

A `Layout` says where the files are and what the labels' numbers stand for. Cityscapes' is that of
its folders as they are downloaded:

ROOT/leftImg8bit/SPLIT/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png
ROOT/gtFine/SPLIT/CITY/CITY_SEQUENCE_FRAME_gtFine_labelIds.png
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from ..utils.ahead import ordered_map
from ..utils.cpu import cores
from ..utils.errors import InputError
from ..utils.progress_bar import bar
from .cityscapes import CLASS_NAMES, to_train_ids
from .image import decode_image, read_file
from .records import BadRecord
from .scene_classes import SceneClasses, read_classes
from .scene_files import SPLIT, Pattern, contents, listed_names
from .spot_check import most_bad, spot_check, spread

_PNG = b"\x89PNG\r\n\x1a\n"
_GRAY = b"\x08\x00"  # bits of a channel and kind of colour, at byte 24 of a PNG
_LOOKED_AT = 100  # labels whose ids are compared with the classes before a run begins


class CityscapesClasses:
    """The classes of Cityscapes, by the ids of its label files."""

    names = CLASS_NAMES

    @staticmethod
    def train_ids(data):
        """A label file's content -> train ids uint8 `(H, W)`.

        Raises InputError where it is no PNG of one channel of 8 bits, or an id is no label's.
        """
        ids = decode_image(data, 1)[..., 0]
        # The decoder makes grey of anything, so the header says whether these are ids.
        if not (data.startswith(_PNG) and data[24:26] == _GRAY):
            raise InputError("a label file is a PNG of one channel of 8 bits, this is not")
        return to_train_ids(ids)


@dataclass(frozen=True)
class Layout:
    """Where a set's pictures and labels are, and which classes the labels have.

    Where the pictures' pattern has `{split}`, a split is what stands there; else it is a file below
    the root that lists the names of its scenes.
    """

    pictures: Pattern
    labels: Pattern
    classes: Union[CityscapesClasses, SceneClasses]

    def scenes(self, root, split):
        """`[(name, picture)]` of a split in order, and where they are listed. Raises InputError."""
        found, place = self.pictures.find(root, split), self.pictures.place(root, split)
        if not found:
            raise InputError(
                f"{place}: no picture in it, expected {self.pictures.within}; {contents(place)}"
            )
        if SPLIT in self.pictures.path:
            return sorted(found.items()), place
        place = Path(root, split)
        return [(name, found[name]) for name in listed_names(place, found)], place


CITYSCAPES = Layout(
    Pattern("leftImg8bit/{split}/*/*_leftImg8bit.png", folder="CITY"),
    Pattern("gtFine/{split}/*/*_gtFine_labelIds.png", folder="CITY"),
    CityscapesClasses(),
)


def layout_of(data) -> Layout:
    """The layout that a `SceneData` section states: Cityscapes' where it has no classes.

    Raises InputError where a pattern or the file of classes is of no use.
    """
    if not data.classes:
        return CITYSCAPES
    for key in ("pictures", "labels"):
        try:
            Pattern(getattr(data, key)).check()
        except InputError as error:
            raise InputError(f"config key data.{key}: {error}") from None
    classes = read_classes(data.classes, data.ignore)
    return Layout(Pattern(data.pictures), Pattern(data.labels, (".png",)), classes)


class Scenes:
    """`scenes[i]` -> (picture uint8 RGB `(H, W, 3)`, train ids uint8 `(H, W)`), from any thread.

    `split` is one of the `layout`'s. Not `labelled`: no label file is needed, and None stands for
    the train ids. `path` is the split's folder or list, `pictures` and `labels` (None) its files,
    in order of their names or of the list, `classes` what the layout says of them. Raises
    InputError where a folder, a picture or a label is missing, naming it; on reading, BadRecord,
    naming the file, where one can't be read or is damaged, a label is not as the classes' are
    stored or holds an id that is none of theirs, or picture and label differ in size.
    """

    def __init__(self, root, split, labelled=True, layout=CITYSCAPES):
        self.classes = layout.classes
        scenes, self.path = layout.scenes(root, split)
        self.pictures = [path for _, path in scenes]
        self.labels = None
        if labelled:
            there = layout.labels.find(root, split)
            self.labels = [
                there.get(name) or layout.labels.file(root, split, name) for name, _ in scenes
            ]
            missing = [file for file, (name, _) in zip(self.labels, scenes) if name not in there]
            if missing:
                raise InputError(
                    f"{missing[0]}: no such file, "
                    f"{len(missing)} of {len(scenes)} pictures have no label"
                )

    def __len__(self):
        return len(self.pictures)

    def name(self, i):
        """What to call scene i in a message."""
        return str(self.pictures[i])

    def contents(self):
        """How many scenes of how many classes it has, in words."""
        return f"{len(self)} scenes of {len(self.classes.names)} classes"

    def picture(self, i):
        """The picture alone, uint8 RGB `(H, W, 3)`. Raises BadRecord."""
        return _read(self.pictures[i], lambda data: decode_image(data, 3))

    def __getitem__(self, i):
        picture = self.picture(i)
        if self.labels is None:
            return picture, None
        label = _read(self.labels[i], self.classes.train_ids)
        if label.shape != picture.shape[:2]:
            given, expected = ("x".join(map(str, x.shape[:2])) for x in (label, picture))
            raise BadRecord(f"{self.labels[i]}: {given} pixels, the picture has {expected}")
        return picture, label


def check_scenes(scenes, max_bad):
    """Read scenes spread over a `Scenes`: InputError where too many are bad, see `spot_check`.

    Of a set with classes of its own more labels are looked at, for ids that its classes lack.
    """
    if isinstance(scenes.classes, SceneClasses):
        _check_ids(scenes, max_bad)
    spot_check(scenes, scenes.__getitem__, max_bad, "scene")


def _check_ids(scenes, max_bad):
    """Raise InputError where too many labels hold ids that the set's classes lack, naming them."""
    tried = spread(scenes, _LOOKED_AT)

    def look(index):
        try:
            ids = scenes.classes.stored(read_file(scenes.labels[index]))
        except InputError:  # a bad scene, which others tell
            return []
        return scenes.classes.unknown(ids)

    found = dict(zip(tried, ordered_map(look, tried, cores(), 2 * cores())))
    wrong = [index for index in tried if found[index]]
    if len(wrong) > most_bad(scenes, len(tried), max_bad):
        classes, ids = scenes.classes, sorted(set().union(*found.values()))
        raise InputError(
            f"{scenes.path}: {len(wrong)} of {len(tried)} labels looked at hold {classes.told(ids)}"
            f", neither one of the {len(classes.names)} classes of {classes.source} nor in "
            f"data.ignore, as {scenes.labels[wrong[0]]}"
        )


def read_all(scenes):
    """Read all scenes and name those that can't be used. Raises InputError where there are any.

    Scores that leave scenes out can't be compared, and hours of prediction would be lost.
    """

    def fault(i):
        try:
            scenes[i]
        except BadRecord as error:
            return str(error)

    found = ordered_map(fault, range(len(scenes)), cores(), 2 * cores())
    faults = [text for text in bar(found, total=len(scenes), desc="read", unit="scene") if text]
    for text in faults:
        print(f"bad {text}", file=sys.stderr)
    if faults:
        raise InputError(f"{scenes.path}: {len(faults)} of {len(scenes)} scenes are bad")


def _read(path, decode):
    """What `decode` makes of a file. Raises BadRecord naming it."""
    try:
        return decode(read_file(path))
    except InputError as error:
        raise BadRecord(f"{path}: {error}") from None
