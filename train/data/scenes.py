"""Street scenes labelled pixel by pixel, in Cityscapes' folders as they are downloaded.

ROOT/leftImg8bit/SPLIT/CITY/CITY_SEQUENCE_FRAME_leftImg8bit.png
ROOT/gtFine/SPLIT/CITY/CITY_SEQUENCE_FRAME_gtFine_labelIds.png
"""

import os
from pathlib import Path

from gluon_glore.data.cityscapes import CLASS_NAMES, to_train_ids
from gluon_glore.data.image import decode_image, read_file
from gluon_glore.data.records import BadRecord
from gluon_glore.utils.errors import InputError, naming

from .spot_check import spot_check

PICTURES, LABELS = "leftImg8bit", "gtFine"
_PICTURE, _LABEL = "_leftImg8bit.png", "_gtFine_labelIds.png"
_PNG = b"\x89PNG\r\n\x1a\n"
_GRAY = b"\x08\x00"  # bits of a channel and kind of colour, at byte 24 of a PNG


class Scenes:
    """`scenes[i]` -> (picture uint8 RGB `(H, W, 3)`, train ids uint8 `(H, W)`), from any thread.

    `split` is train, val or test. Not `labelled`: no label file is needed, and None stands for the
    train ids. `path` is the split's folder, `pictures` and `labels` (None) its files in order of
    their names. Raises InputError where a folder or a label is missing, naming it; on reading,
    BadRecord, naming the file, where one can't be read or is damaged, a label is not one channel
    of 8 bits or holds an id that is no label's, or picture and label differ in size.
    """

    def __init__(self, root, split, labelled=True):
        root = Path(root)
        self.path = root / PICTURES / split
        scenes = _listed(root, PICTURES, split, _PICTURE)
        if not scenes:
            raise InputError(f"{self.path}: no picture in it, expected CITY/*{_PICTURE}")
        self.pictures = [self.path / f"{scene}{_PICTURE}" for scene in scenes]
        self.labels = None
        if labelled:
            place = root / LABELS / split
            self.labels = [place / f"{scene}{_LABEL}" for scene in scenes]
            there = set(_listed(root, LABELS, split, _LABEL))
            missing = [label for scene, label in zip(scenes, self.labels) if scene not in there]
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
        return f"{len(self)} scenes of {len(CLASS_NAMES)} classes"

    def picture(self, i):
        """The picture alone, uint8 RGB `(H, W, 3)`. Raises BadRecord."""
        return _read(self.pictures[i], lambda data: decode_image(data, 3))

    def __getitem__(self, i):
        picture = self.picture(i)
        if self.labels is None:
            return picture, None
        label = _read(self.labels[i], _decode_label)
        if label.shape != picture.shape[:2]:
            given, expected = ("x".join(map(str, x.shape[:2])) for x in (label, picture))
            raise BadRecord(f"{self.labels[i]}: {given} pixels, the picture has {expected}")
        return picture, label


def check_scenes(scenes, max_bad):
    """Decode scenes spread over a `Scenes`: InputError where too many are bad, see `spot_check`."""
    spot_check(scenes, scenes.__getitem__, max_bad, "scene")


def _listed(root, kind, split, ending):
    """`CITY/CITY_SEQUENCE_FRAME` of each file of a split, in order. Raises InputError."""
    place = root / kind / split
    names = []
    with naming(place):
        for folder in (root, root / kind, place):
            if not folder.is_dir():
                there = f"; {_contents(folder.parent)}" if folder != root else ""
                expected = place / "CITY" / f"*{ending}"
                raise InputError(f"{folder}: no such folder, expected {expected}{there}")
        for city in _visible(place):
            if city.is_dir():
                files = (file.name for file in _visible(city) if file.name.endswith(ending))
                names += [f"{city.name}/{name[: -len(ending)]}" for name in files]
    return sorted(names)


def _visible(folder):
    """The entries of a folder, without those that a Mac's archives add."""
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def _contents(folder):
    """What a folder has in it, in words."""
    entries = sorted(_visible(folder), key=lambda entry: entry.name)
    names = [entry.name for entry in entries if entry.is_dir()]
    names += [f"{entry.name} (not unpacked)" for entry in entries if entry.name.endswith(".zip")]
    return f"{folder} has {', '.join(names[:5]) or 'no folder'}"


def _read(path, decode):
    """What `decode` makes of a file. Raises BadRecord naming it."""
    try:
        return decode(read_file(path))
    except InputError as error:
        raise BadRecord(f"{path}: {error}") from None


def _decode_label(data):
    """A label file's content -> train ids uint8 `(H, W)`. Raises InputError."""
    ids = decode_image(data, 1)[..., 0]
    # The decoder makes grey of anything, so the header says whether these are ids.
    if not (data.startswith(_PNG) and data[24:26] == _GRAY):
        raise InputError("a label file is a PNG of one channel of 8 bits, this is not")
    return to_train_ids(ids)
