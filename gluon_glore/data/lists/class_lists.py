"""Files and their classes: a folder of class folders, or a list file."""

import os
import re

from ...utils.errors import InputError, naming, shown
from ..class_names import class_of, read_names

_NUMBERED = re.compile(r"(.*\S)\s+(-?[0-9]{1,18})\s*")
EXPECTED = "path<TAB>class or path label, a whole number"  # of a line, for messages
_MOST = 100_000  # classes that a list's integers may stand for


def list_files(source, suffixes, kind, root=None):
    """`[(path, class), ...]` of a folder of class folders or a list file; `kind` says of what.

    Of a folder: the files with one of `suffixes`, in the order of class and path; links are
    followed, hidden files left out. Of a list: its lines `path<TAB>class`, or `path label` with an
    integer label after the last blank; relative paths are below `root` (default: the list's
    folder), and no file is looked for. Raises InputError where there is none, or naming the line
    that is neither.
    """
    if os.path.isdir(source):
        with naming(source):
            folders = sorted(os.listdir(source))
        files = [
            (path, folder)
            for folder in folders
            if not folder.startswith(".")
            for path in sorted(
                _files(os.path.join(source, folder), suffixes), key=lambda path: path.split(os.sep)
            )
        ]
    else:
        root = root or os.path.dirname(source)
        files = [
            (os.path.join(root, path), name)
            for path, name in (
                _split(line, source, number)
                for number, line in enumerate(read_names(source), start=1)
            )
        ]
    if not files:
        raise InputError(f"{source}: no {kind}s in it, expected class folders or {EXPECTED}")
    return files


def label_files(source, files, names=None):
    """(class names, labels) of `list_files`' files; a label is the place of a class in the names.

    `names` in label order; default: the classes sorted, or where all of a list's are integers, "0",
    "1", ... up to the largest. An integer of a list that is no name is a label. Raises InputError
    for a name that comes twice or, naming line and path, for a class that is neither or a label out
    of range; without `names` also for labels that count from 1, and for a single class folder.
    """
    listed = not os.path.isdir(source)
    classes = {name for _, name in files}
    if names is None and listed and all(map(_is_integer, classes)):
        names = _numbers(source, set(map(int, classes)))
    if names is None and not listed and len(classes) == 1:
        raise InputError(
            f"{source}: one class folder in it, {min(classes)}: give the folder whose folders are "
            "the classes, a list, or the names of all classes"
        )
    names = tuple(map(str, sorted(classes) if names is None else names))
    label_of = number_names(names)

    def label(number, path, name):
        if class_of(name) in label_of:
            return label_of[class_of(name)]
        place = f"{source} line {number}: {path}" if listed else path
        if listed and _is_integer(name):
            if 0 <= int(name) < len(names):
                return int(name)
            raise InputError(
                f"{place}: label {name} is out of range, 0 to {len(names) - 1} allowed for "
                f"{len(names)} class names: labels count from 0"
            )
        raise InputError(f"{place}: class {name!r} is not among the {len(names)} names given")

    return names, [label(number, *file) for number, file in enumerate(files, start=1)]


def _numbers(source, labels):
    """The names of classes that have none: the numbers up to the largest. Raises InputError."""
    most = max(labels)
    if min(labels) == 1 and len(labels) == most:
        raise InputError(
            f"{source}: labels 1 to {most} and no 0, but they count from 0: subtract 1, or give "
            "the class names of all labels from 0 on"
        )
    return range(max(0, min(most, _MOST - 1)) + 1)


def number_names(names):
    """{`class_of` a name: label}, in their order.

    Raises InputError for no names, or one that comes twice.
    """
    if not names:
        raise InputError("no class names given")
    label_of = {}
    for label, name in enumerate(names):
        if label_of.setdefault(class_of(name), label) != label:
            raise InputError(f"class name {name!r} comes twice among the {len(names)} names given")
    return label_of


def _split(line, source, number):
    """A line's path and class."""
    path, tab, name = line.partition("\t")
    if path and name and "\t" not in name:
        return path, name
    label = not tab and _NUMBERED.fullmatch(line)
    if not label:
        raise InputError(f"{source} line {number}: expected {EXPECTED}, given {shown(line)}")
    return label[1], str(int(label[2]))


def _is_integer(name):
    """Whether a class is a whole number."""
    return re.fullmatch(r"-?[0-9]{1,18}", name) is not None


def _files(folder, suffixes):
    """Yield the paths of files with one of the suffixes, at any depth, but hidden ones."""
    for directory, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if os.path.splitext(name)[1].lower() in suffixes and not name.startswith("."):
                yield os.path.join(directory, name)
