"""Which files are labelled with which class: a folder of class folders, or a list file."""

import os
import re
from pathlib import Path

from gluon_glore.errors import InputError
from gluon_glore.load import read_names

_NUMBERED = re.compile(r"(.*\S)\s+(-?\d+)\s*")
_MOST = 100_000  # classes that a list's integers may stand for


def list_files(source, suffixes, kind, numbered=False, root=None):
    """`[(path, class), ...]` of a folder of class folders or a list file; `kind` says of what.

    Of a folder: the files with one of `suffixes`, in the order of class and path; links are
    followed, hidden files left out. Of a list: its lines `path<TAB>class`, `numbered` also
    `path label` with an integer label after the last blank; relative paths are below `root`
    (default: the list's folder), and no file is looked for. Raises InputError where there is none,
    or naming the line that is neither.
    """
    source = Path(source)
    if source.is_dir():
        files = [
            (path, folder.name)
            for folder in sorted(source.iterdir())
            if folder.is_dir() and not folder.name.startswith(".")
            for path in sorted(_files(folder, suffixes))
        ]
    else:
        root = Path(root or source.parent)
        files = [
            (root / path, name)
            for path, name in (
                _split(line, numbered, f"{source} line {number}")
                for number, line in enumerate(read_names(source), start=1)
            )
        ]
    if not files:
        raise InputError(
            f"{source}: no {kind}s in it, expected class folders or {_expected(numbered)}"
        )
    return files


def label_files(source, files, names=None, numbered=False):
    """(class names, labels) of `list_files`' files; a label is the place of a class in the names.

    `names` in label order; default: the classes sorted, or "0", "1", ... up to the largest where
    all are integers of a list that may be `numbered`. In such a list an integer that is no name is
    a label. Raises InputError for a name that comes twice or, naming line and path, for a class
    that is neither or a label out of range.
    """
    listed = not Path(source).is_dir()
    numbered = numbered and listed
    classes = {name for _, name in files}
    if not names and numbered and all(map(_is_integer, classes)):
        names = range(max(0, min(max(map(int, classes)), _MOST - 1)) + 1)
    names = tuple(map(str, names or sorted(classes)))
    label_of = {name: label for label, name in enumerate(names)}
    if len(label_of) < len(names):
        twice = next(name for i, name in enumerate(names) if label_of[name] != i)
        raise InputError(f"{source}: class name {twice!r} comes twice among the names given")
    if numbered:
        label_of = {**{str(label): label for label in label_of.values()}, **label_of}

    def label(number, path, name):
        if name in label_of:
            return label_of[name]
        place = f"{source} line {number}: {path}" if listed else path
        if numbered and _is_integer(name):
            raise InputError(
                f"{place}: label {name} is out of range, 0 to {len(names) - 1} allowed"
            )
        raise InputError(f"{place}: class {name!r} is not among the {len(names)} names given")

    return names, [label(number, *file) for number, file in enumerate(files, start=1)]


def _split(line, numbered, place):
    """A line's path and class."""
    path, tab, name = line.partition("\t")
    if path and name and "\t" not in name:
        return path, name
    label = numbered and not tab and _NUMBERED.fullmatch(line)
    if not label:
        raise InputError(f"{place}: expected {_expected(numbered)}, given {line!r}")
    return label[1], str(int(label[2]))


def _expected(numbered):
    return "path<TAB>class" + (" or path label, a whole number" if numbered else "")


def _is_integer(name):
    return re.fullmatch(r"-?\d+", name, re.ASCII) is not None


def _files(folder, suffixes):
    for directory, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(directory, name)
            if path.suffix.lower() in suffixes and not name.startswith("."):
                yield path
