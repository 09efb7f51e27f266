"""The split files of UCF-101 and HMDB-51.

UCF-101 (https://www.crcv.ucf.edu/data/UCF101.php): `trainlist01.txt` has `class/video.avi label`,
labels from 1, `testlist01.txt` the paths alone; `classInd.txt` beside them has the names. HMDB-51
(https://serre.lab.brown.edu/hmdb51.html): a file a class, `CLASS_test_split1.txt`, of lines
`video.avi 1`, where 1 is for training, 2 for testing and 0 for neither.
"""

import glob
import os
import re
from dataclasses import replace

from ...utils.errors import InputError, shown
from ..class_names import read_classes
from .forms import PATH_LABEL, PATHS
from .kinds import VIDEO
from .listing import Listing
from .text_lines import is_comment, read_lines

_INDEX = "classInd.txt"
_HMDB = re.compile(r"(.+)_test_split[0-9]+\.txt")
_FLAGS = {"train": "1", "val": "2"}


def with_class_index(source, form, listing, names):
    """A list as UCF-101 means it: classes by the names in `classInd.txt` beside it, labels from 1.

    Without that file `names` do where all folders are among them and the labels count them from 1;
    paths alone need one of the two. Other lists are as they were. Raises InputError, naming the
    line, for a label that has no name in the file or is not that of the folder.
    """
    if form not in (PATH_LABEL, PATHS):
        return listing
    index = os.path.join(os.path.dirname(source), _INDEX)
    if os.path.isfile(index):
        own = tuple(read_classes(index))
        classes = listing.classes if form is PATHS else _by_index(source, listing, index, own)
        words = f"UCF-101's split file with {_INDEX}"
        return replace(listing, form=words, classes=classes, numbered=False, names=own)
    if form is PATHS and names is None:
        raise InputError(
            f"{source}: paths without labels, whose classes are their folders' names: give the "
            f"class names, or put UCF-101's {_INDEX} beside it"
        )
    if form is PATH_LABEL and names is not None:
        number = {str(name): str(place) for place, name in enumerate(names, 1)}
        pairs = zip(listing.paths, listing.classes)
        if all(number.get(_folder(path)) == label for path, label in pairs):
            words = "UCF-101's split file, labels from 1 as its folders say"
            classes = [str(names[int(label) - 1]) for label in listing.classes]
            return replace(listing, form=words, classes=classes, numbered=False)
    return listing


def _by_index(source, listing, index, names):
    """The names of a list's labels. Raises InputError."""
    classes = []
    for path, label, line in zip(listing.paths, listing.classes, listing.lines):
        if not 1 <= int(label) <= len(names):
            raise InputError(
                f"{source} line {line}: label {label}, 1 to {len(names)} allowed by {index}"
            )
        name, folder = names[int(label) - 1], _folder(path)
        if folder != name and folder in names:
            raise InputError(
                f"{source} line {line}: label {label} is {name} in {index}, the folder is {folder}"
            )
        classes.append(name)
    return classes


def _folder(path):
    """The name of the folder that a file is in."""
    return os.path.basename(os.path.dirname(path))


def is_pattern(source):
    """Whether a source names several files, as `splits/*_test_split1.txt` does."""
    return not os.path.lexists(source) and glob.has_magic(source)


def read_pattern(source, kind, use):
    """The `Listing` of HMDB-51's split files that a pattern names, paths below a common folder.

    Raises InputError where there is no such file, or one is of another kind or split.
    """
    files = sorted(glob.glob(source))
    if not files:
        raise InputError(f"{source}: no file is so called")
    paths, classes, seen = [], [], {}
    for file in files:
        match = _HMDB.fullmatch(os.path.basename(file))
        if kind is not VIDEO or not match:
            raise InputError(
                f"{file}: a pattern stands for HMDB-51's split files, CLASS_test_split1.txt, of "
                f"{VIDEO.word}s"
            )
        if seen.setdefault(match[1], file) != file:
            raise InputError(f"{source}: {seen[match[1]]} and {file} are two splits: name one")
        for name in _names(file, use):
            paths.append(f"{match[1]}/{name}")
            classes.append(match[1])
    return Listing(f"HMDB-51's split files, use {use}", paths, classes, names=tuple(sorted(seen)))


def _names(file, use):
    """Yield the videos of a split file that are for this use. Raises InputError."""
    for number, line in enumerate(read_lines(file), 1):
        if not line:
            continue
        name, _, flag = line.rpartition(" ")
        if not VIDEO.has(name.rstrip()) or flag not in ("0", "1", "2"):
            if is_comment(line):
                continue
            raise InputError(
                f"{file} line {number}: expected video.avi and 0, 1 or 2, given {shown(line)}"
            )
        if flag == _FLAGS[use]:
            yield name.rstrip()
