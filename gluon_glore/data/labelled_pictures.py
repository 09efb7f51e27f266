"""Labelled pictures, encoded: of a folder or a list as files, or packed as records."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple, Union

from ..utils.errors import InputError
from .class_names import check_names_beside
from .held_out import hold_out
from .image import read_file
from .lists.labelled_files import PICTURE, LabelledFiles, labelled_files
from .records import BadRecord, RecordDataset

Paths = Union[str, os.PathLike, Tuple[str, ...]]


class PictureFiles:
    """`dataset[i]` -> (encoded picture, label) of files, as `RecordDataset`; any thread may read.

    `path` is the folder or list that they are from, and `whole` says whether they are all of it.
    Reading raises BadRecord, naming the file, where it is missing, can't be read or has more bytes
    than decoding may take.
    """

    def __init__(self, path, files: LabelledFiles, whole=True):
        self.path, self.whole = Path(path).expanduser(), whole
        self.paths, self.class_names = files.paths, files.class_names
        self._files = files

    def __len__(self):
        return len(self.paths)

    def name(self, i):
        """The file as an error message names it."""
        return self.paths[i]

    def __getitem__(self, i):
        try:
            return read_file(self.paths[i]), self._files.labels[i]
        except InputError as error:
            raise BadRecord(f"{self.paths[i]}: {error}") from None

    def contents(self):
        """How many pictures of how many classes it has, and what they are from, in words."""
        return self._files.contents(PICTURE)

    def split(self, share, seed):
        """(the rest, those set aside) as `hold_out` draws them; both `PictureFiles`.

        Raises InputError where no class has two pictures.
        """
        try:
            parts = hold_out(self._files.labels, share, seed)
        except InputError as error:
            raise InputError(f"{self.path}: {error}") from None
        rest, aside = parts
        return (
            self._part(rest, f"{len(aside):,} of the {len(self):,} are set aside"),
            self._part(aside, f"set aside of {len(self):,}"),
        )

    def _part(self, places, note):
        """The files at some places."""
        part = dataclasses.replace(
            self._files,
            paths=tuple(self.paths[i] for i in places),
            labels=tuple(self._files.labels[i] for i in places),
            form=f"{self._files.form} ({note})",
        )
        return PictureFiles(self.path, part, whole=False)


@dataclass(frozen=True)
class PictureSource:
    """Where labelled pictures are: `path` and `root` as `open_pictures` takes them.

    With a `share` they are those that `PictureFiles.split` sets aside by this `seed`, and `rest` is
    how many others there were, where that is known.
    """

    path: Paths
    root: str = ""
    share: float = 0.0
    seed: int = 0
    rest: Optional[int] = None


def open_pictures(
    source: Paths, class_names=None, classes=None, root="", use="train"
) -> Union[PictureFiles, RecordDataset]:
    """The labelled pictures of a folder of class folders, a list, or one or several .rec.

    `class_names`, in label order: those of the training set for a validation set; default: the
    source's own. `classes`: how many there may be; default: as many as the names; without any, a
    record may have any label. `root` is where a list's relative paths begin, "" at the list. `use`
    is what they are for, "train" or "val", where a list has both.

    What is returned has `class_names`, None for records without a names file beside them, and says
    by `contents()` what it holds. Raises InputError where there is nothing, a line or an index is
    of no use, or a folder or list has a class that is not among the names.
    """
    if is_packed(source):
        if classes is None and class_names is not None:
            classes = len(class_names)
        return RecordDataset(_alone(source), classes)
    if not isinstance(source, (str, os.PathLike)) and len(source) != 1:
        raise InputError(
            f"{', '.join(map(str, source))}: one folder, one list, or several .rec files"
        )
    source = _alone(source)
    pictures = PictureFiles(source, labelled_files(source, PICTURE, class_names, root, use))
    if classes is not None and len(pictures.class_names) != classes:
        raise InputError(f"{source}: {len(pictures.class_names)} classes, {classes} are needed")
    return pictures


def pictures_for(network, class_names, source, root="") -> Union[PictureFiles, RecordDataset]:
    """The labelled pictures of `source` for a network of these classes, in label order.

    `source` is a `PictureSource`, or a path as `open_pictures` takes it; `network` is what a
    message calls the network.

    Raises InputError as `open_pictures` does, where the names file beside a .rec has other names,
    and where others than a run's `rest` are left when its pictures are set aside.
    """
    if not isinstance(source, PictureSource):
        source = PictureSource(source, root)
    use = "train" if source.share else "val"
    pictures = open_pictures(source.path, class_names, root=source.root, use=use)
    if is_packed(source.path):
        check_names_beside(source.path, class_names, network)
    if not source.share:
        return pictures
    rest, aside = pictures.split(source.share, source.seed)
    if source.rest not in (None, len(rest)):
        raise InputError(
            f"{source.path}: {len(rest)} pictures beside those set aside, {source.rest} when "
            f"{network} was trained: nothing says which it has not seen, give --data"
        )
    return aside


def is_packed(source):
    """Whether a source of pictures is of .rec files."""
    files = [Path(file).expanduser() for file in _paths(source)]
    return bool(files) and all(file.suffix == ".rec" and not file.is_dir() for file in files)


def _paths(source):
    """The paths of a source of one or several, a tuple."""
    return (source,) if isinstance(source, (str, os.PathLike)) else tuple(source)


def _alone(source):
    """A source's single path, or the tuple of several."""
    paths = _paths(source)
    return paths[0] if len(paths) == 1 else paths
