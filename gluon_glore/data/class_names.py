"""Files of class names: one name a line, in the order of the labels.

`train.pack` and `train.pack_video` write one beside the records: NAME.classes.txt of NAME.rec.
"""

import itertools
import re
import sys
from pathlib import Path

from ..utils.errors import InputError
from ..utils.files import read_text
from .record_chunks import names_files

_NUMBERED = re.compile(r"([0-9]{1,9})\s+(\S.*)")
_SYNSET = re.compile(r"(n[0-9]{8})\s+\S.*")


class ClassNames(tuple):
    """Class names in label order. `first` is the number that their source gives to the first."""

    def __new__(cls, names, first=0):
        """The names, and the number of the first: 0, or 1 where they are numbered from 1."""
        made = super().__new__(cls, names)
        made.first = first
        return made


def read_names(path):
    """The names in a file, a list, as `read_classes` reads them. Raises InputError as it does."""
    return list(read_classes(path))


def names_of(given):
    """Class names as a tuple: those in a file by its path, or what is given. Raises InputError."""
    return tuple(read_names(given) if isinstance(given, (str, Path)) else given)


def read_classes(path):
    """The `ClassNames` of a file. Raises InputError naming it where it can't be read.

    The lines are those of `name_lines`; an empty one before the last is an error. Where all lines
    are numbered in order, from 0 or from 1, as those of UCF-101's classInd.txt, the numbers are no
    part of the names.
    """
    names = name_lines(path)
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise InputError(f"{path} line {number}: no class name in it, names come behind it")
    numbered = [_NUMBERED.fullmatch(name) for name in names]
    if len(names) > 1 and all(numbered):
        numbers, bare = zip(*(match.groups() for match in numbered))
        first = int(numbers[0])
        in_order = [int(number) for number in numbers] == list(range(first, first + len(names)))
        if first in (0, 1) and in_order and len(set(bare)) == len(bare):
            return ClassNames(bare, first)
    return ClassNames(names)


def name_lines(path):
    """The lines of a file of names, a list. Raises InputError naming it where it can't be read.

    The mark that some editors begin a file with is no part of it, nor are empty lines at its end.
    """
    lines = read_text(path, "utf-8-sig", pipe=True).splitlines()
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def class_of(name):
    """The class that a name is of: "n01440764" of ImageNet's "n01440764 tench, Tinca tinca"."""
    synset = _SYNSET.fullmatch(name)
    return synset[1] if synset else name


def names_beside(rec):
    """The names file beside a .rec, or beside several as `record_files` takes them; else None.

    Raises InputError where there are several with other names, and as `record_files` does.
    """
    files = names_files(rec)
    classes = [[class_of(name) for name in read_names(file)] for file in files]
    for file, own in zip(files, classes):
        if own != classes[0]:
            raise InputError(
                f"{file}: other class names than {files[0]}, so the labels of the two files mean "
                "different classes: pack them with the same (--classes)"
            )
    return files[0] if files else None


class OtherNames(InputError):
    """The labels of a set stand for other classes than those it was compared with.

    `subset`: each of its names is one of those, and none comes twice.
    """

    def __init__(self, text, subset):
        super().__init__(text)
        self.subset = subset


def check_names_beside(rec, names, source, packed=False):
    """Raise OtherNames where a .rec's labels stand for other classes than `names`, in label order.

    The names file beside the .rec says so; without one there is nothing to compare. `source` is
    where `names` are from: a file's Path, or what a message calls it. Where it has as many and all
    others, one of the two may be translated: that passes and is said on stderr, unless both were
    `packed`.
    """
    file = names_beside(rec)
    if not file:
        return
    rec = rec if isinstance(rec, (str, Path)) else file.with_suffix("").with_suffix(".rec")
    given, expected = ([class_of(name) for name in some] for some in (read_names(file), names))
    if given == expected:
        return
    strange, absent = _besides(given, expected), _besides(expected, given)
    if len(given) == len(expected) == len(strange) and not packed:
        note = f"{file}: none of its names is among those of {source}: taken as the same classes"
        print(f"{note}, in the same order", file=sys.stderr)
        return
    if strange:
        difference = f"{_told(strange[0])} is none of them"
    elif absent:
        difference = f"{_told(absent[0])} is missing"
    else:
        pairs = itertools.zip_longest(map(_told, given), map(_told, expected), fillvalue="nothing")
        place, pair = next((i, pair) for i, pair in enumerate(pairs) if pair[0] != pair[1])
        difference = "label {} is {}, not {}".format(place, *pair)
    classes = source if isinstance(source, Path) else "train.classes.txt"
    raise OtherNames(
        f"{file}: {len(given)} class names, not the {len(expected)} of {source} in their order "
        f"({difference}), so labels would be wrong: python -m train.pack SRC "
        f"{Path(rec).with_suffix('')} --classes {classes}",
        subset=not strange and len(set(given)) == len(given) > 0,
    )


def _told(name, most=80):
    """A name as a message tells it: of a long one, which may be a stranger's, its beginning."""
    text = repr(name)
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def _besides(some, others):
    """Those of `some` that are not among `others`."""
    others = set(others)
    return [name for name in some if name not in others]
