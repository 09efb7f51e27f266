"""Class folders: a folder whose folders are the classes."""

import os
import re

from ...utils.errors import InputError, naming
from ..class_names import class_of
from .forms import ANY
from .listing import Listing
from .places import files_in

_SET = re.compile("(train|val|test).*")  # how folders of sets are called, in lower case


def read_folder(source, kind, names=None):
    """The `Listing` of a folder of class folders, in the order of class and path.

    Links are followed, hidden files left out. Where it holds one folder alone, whose folders are
    the classes, that one is read. Raises InputError where there is no file.
    """
    with naming(source):
        folders = _folders(source)
        by_class = {name: _files(os.path.join(source, name), kind) for name in folders}
        said = ""
        if len(folders) == 1 and (names is None or not _named(folders, names)):
            inner = os.path.join(source, folders[0])
            deeper = {name: _files(os.path.join(inner, name), kind) for name in _folders(inner)}
            having = [name for name, files in deeper.items() if files]
            whole = sum(map(len, deeper.values())) == len(by_class[folders[0]])
            if whole and (len(having) > 1 if names is None else having and _named(having, names)):
                by_class, said = deeper, f" in {inner}"
        loose = len(files_in(source, kind))
        if not said and names is None:
            _refuse_sets(source, by_class)
    files = [(path, name) for name, paths in by_class.items() for path in paths]
    if not files and loose:
        raise InputError(
            f"{source}: {_count(loose, kind)} in it and no class folders: give a list that says "
            f"the class of each, of lines {ANY.expected}"
        )
    if not files:
        raise InputError(
            f"{source}: no {kind.word}s in it, expected class folders or {ANY.expected}"
        )
    if loose:
        said += f", {_count(loose, kind)} beside them left out"
    return Listing(f"class folders{said}", [path for path, _ in files], [name for _, name in files])


def _refuse_sets(source, by_class):
    """Raise InputError where the folders are a training and a validation set, not classes."""
    sets = [name for name in by_class if _SET.fullmatch(name.lower())]
    direct = {
        name for name, files in by_class.items() for path in files if _depth(source, path) == 2
    }
    if len(sets) > 1 and not direct.issuperset(sets):
        raise InputError(
            f"{source}: its folders {' and '.join(sets[:2])} are sets, not classes: "
            f"give one, as {os.path.join(source, sets[0])}"
        )


def _depth(source, path):
    """How many names deep a path is below a folder."""
    return len(os.path.relpath(path, source).split(os.sep))


def _count(number, kind):
    return f"{number:,} {kind.word}{'s' * (number != 1)}"


def _named(folders, names):
    """Whether all folders are classes of the names."""
    return {class_of(name) for name in folders} <= {class_of(str(name)) for name in names}


def _folders(folder):
    """The names of the folders in a folder, sorted, but hidden ones."""
    names = (name for name in sorted(os.listdir(folder)) if not name.startswith("."))
    return [name for name in names if os.path.isdir(os.path.join(folder, name))]


def _files(folder, kind):
    """The paths of files of a kind, at any depth, but hidden ones, in the order of folders."""
    found = []
    for directory, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found.extend(
            os.path.join(directory, name)
            for name in files
            if kind.has(name) and not name.startswith(".")
        )
    return sorted(found, key=lambda path: path.split(os.sep))
