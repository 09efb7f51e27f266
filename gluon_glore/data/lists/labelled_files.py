"""The labelled files of a source: a folder of class folders, or a list of any form."""

import os
from dataclasses import dataclass, replace
from typing import Optional, Tuple

from ...utils.errors import InputError
from .class_folders import read_folder
from .devkit import read_ground_truth
from .forms import ANY, read_form
from .kinds import PICTURE, VIDEO, Kind
from .labels import label_files
from .places import below
from .splits import is_pattern, read_pattern, with_class_index
from .tables import read_table
from .text_lines import read_lines

__all__ = ["PICTURE", "VIDEO", "Kind", "LabelledFiles", "labelled_files"]
_USES = ("train", "val")
_IN_FOLDER = "val_annotations.txt"  # tiny-imagenet's: read where its folder is given


@dataclass(frozen=True)
class LabelledFiles:
    """Files in the order of their source; `labels[i]` is the place of file i's class in the names.

    `form` says in words what the source is, as "class folders" or "a Caffe list". Files of a list
    may be missing: a few are looked for, to find their folder.
    """

    paths: Tuple[str, ...]
    labels: Tuple[int, ...]
    class_names: Tuple[str, ...]
    form: str

    def __len__(self):
        return len(self.paths)

    def contents(self, kind: Kind):
        """How many files of how many classes there are, and from what, in words."""
        present = len(set(self.labels))
        return f"{counted(len(self), kind, len(self.class_names), present)}, from {self.form}"


def counted(samples, kind: Kind, known, present):
    """How many samples of a kind there are, and of how many of the known classes, in words."""
    classes = f"{known:,}" if present == known else f"{present:,} of the {known:,}"
    return f"{samples:,} {kind.word}s of {classes} classes"


def labelled_files(
    source, kind: Kind, class_names: Optional[Tuple[str, ...]] = None, root="", use="train"
) -> LabelledFiles:
    """The files of one `kind` that a source lists, with their labels; docs/data.md has the forms.

    `source` is a folder of class folders, a list file, or a pattern that names HMDB-51's split
    files. `class_names`, in label order: those of the training set for a validation set; default:
    the source's own. `root` is where a list's relative paths begin, "" at the list. `use`, "train"
    or "val", is what they are for: a list of both says which are which.

    Raises InputError where there is no file, or a line, a label or a class is of no use, naming it.
    """
    if use not in _USES:
        raise InputError(f"use {use!r}, allowed are {' and '.join(_USES)}")
    source, root = (os.path.expanduser(os.fspath(path)) for path in (source, root or ""))
    listing = _read(source, kind, class_names, root, use)
    if not listing.paths:
        raise InputError(
            f"{source}: no {kind.word}s in it, expected class folders or {ANY.expected}"
        )
    names, labels = label_files(source, listing, class_names)
    return LabelledFiles(tuple(listing.paths), tuple(labels), names, listing.form)


def _read(source, kind, names, root, use):
    """The `Listing` of a source, its paths where the files are."""
    said = ""
    if os.path.isdir(source):
        inside = os.path.join(source, _IN_FOLDER)
        if kind is not PICTURE or not os.path.isfile(inside):
            return read_folder(source, kind, names)
        source, said = inside, " in the folder"
    base = root or os.path.dirname(source)
    if is_pattern(source):
        listing = read_pattern(source, kind, use)
    else:
        lines = read_lines(source)
        listing = read_table(source, lines, kind, base, use)
        listing = listing or read_ground_truth(source, lines, kind, base, names)
        if listing:
            return listing
        form, listing = read_form(source, lines, kind)
        del lines  # of a long list as large as its paths
        listing = with_class_index(source, form, listing, names)
    if not listing.paths:
        return listing
    paths, place = below(source, base, listing.paths)
    return replace(listing, form=f"{listing.form}{said}{place}", paths=paths)
