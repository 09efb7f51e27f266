"""The classes of a set of scenes: what the numbers or colours of its label files stand for.

A file of classes has a line a class, in the order that the network learns them:

    road                one name a line: ids from 0 on, in this order
    7<TAB>road          the id in the label files, and the name
    128 64 128<TAB>road the colour in the label files, red, green, blue, and the name

Blank lines at the end and lines that begin with # are passed over.
"""

import functools
import re
from dataclasses import dataclass
from typing import Tuple

import numpy as np

from ..utils.errors import InputError, shown
from .cityscapes import IGNORE
from .class_names import name_lines
from .label_png import decode_label

MOST = 254  # classes: train ids are bytes, and two of them stand for what is none
_UNKNOWN = 254
_ID = re.compile(r"([0-9]{1,5})\t+(.*)")
_NUMBERED = re.compile(r"[0-9]+\W")  # what may be an id with something else than a tab behind it
_COLOUR = re.compile(r"([0-9]{1,3})[ \t]+([0-9]{1,3})[ \t]+([0-9]{1,3})\t+(.*)")


@dataclass(frozen=True)
class SceneClasses:
    """The classes of label files: class i is called `names[i]` and stored as `ids[i]`.

    With `colours` label files are RGB, and an id is red * 65536 + green * 256 + blue. Pixels whose
    id is in `ignore` are neither learned nor evaluated. `source` is what a message calls it.
    """

    names: Tuple[str, ...]
    ids: Tuple[int, ...]
    ignore: Tuple[int, ...] = ()
    colours: bool = False
    source: str = "data.classes"

    @functools.cached_property
    def _table(self):
        """The train id of each id that a label file can hold."""
        table = np.full(2**24 if self.colours else 2**16, _UNKNOWN, np.uint8)
        table[list(self.ids)] = np.arange(len(self.ids))
        table[list(self.ignore)] = IGNORE
        return table

    def train_ids(self, data):
        """A label file's content -> train ids uint8 `(H, W)`, IGNORE where a pixel has no class.

        Raises InputError where it is no PNG of ids, or of colours where those are the classes', and
        for an id that is neither a class's nor ignored.
        """
        ids = self.stored(data)
        train_ids = self._table[ids]
        if (train_ids == _UNKNOWN).any():
            few = self.unknown(ids)
            raise InputError(
                f"{self.told(few)}: neither a class of {self.source} nor in data.ignore"
            )
        return train_ids

    def stored(self, data):
        """The ids in a label file's content, whole numbers `(H, W)`.

        Raises InputError where it is no PNG of ids, or of colours where those are the classes'.
        """
        label = decode_label(data)
        if (label.ndim == 3) != self.colours:
            given, wanted = ("ids", "colours") if self.colours else ("RGB colours", "ids")
            line = "R G B<TAB>name" if label.ndim == 3 else "id<TAB>name"
            raise InputError(
                f"its pixels are {given}, {self.source} has {wanted}: give it lines {line}"
            )
        if not self.colours:
            return label
        red, green, blue = np.moveaxis(label.astype(np.int32), -1, 0)
        return red << 16 | green << 8 | blue

    def unknown(self, ids):
        """Those of an array of ids that are neither a class's nor ignored, sorted, each once."""
        return np.unique(ids[self._table[ids] == _UNKNOWN]).tolist()

    def told(self, ids, most=5):
        """Ids as a message tells them: "ids 3, 7", "colour 64 0 128"."""
        few = [f"{x >> 16} {x >> 8 & 255} {x & 255}" if self.colours else str(x) for x in ids]
        more = f" and {len(few) - most} more" if len(few) > most else ""
        kind = "colour" if self.colours else "id"
        return f"{kind}{'s' * (len(few) > 1)} {', '.join(few[:most])}{more}"


def read_classes(path, ignore=()) -> SceneClasses:
    """The classes in a file; the line of an id that is to be ignored is no class.

    Raises InputError, naming the line, for one that is not as the others, an empty name, or what
    comes twice; and where there are no classes, or more than `MOST`.
    """
    lines = [
        (number, line)
        for number, line in enumerate(name_lines(path), start=1)
        if not line.startswith("#")
    ]
    if not lines:
        raise InputError(f"{path}: no classes in it, expected one name a line")
    form = next((form for form in (_COLOUR, _ID) if form.fullmatch(lines[0][1])), None)
    if not form and 2 * sum(bool(_NUMBERED.match(line)) for _, line in lines) > len(lines):
        raise InputError(
            f"{path}: its lines begin with numbers, as {shown(lines[-1][1])}, and are no names: "
            "expected id<TAB>name"
        )
    known, names, lines_of = {}, {}, {}
    for place, (number, line) in enumerate(lines):
        try:
            key, name = _parse(form, place, line)
            for what, seen in ((key, known), (name, lines_of)):
                if what in seen:
                    kind = "name" if seen is lines_of else "id or colour"
                    raise InputError(f"its {kind} is that of line {seen[what]} too")
                seen[what] = number
        except InputError as error:
            raise InputError(f"{path} line {number}: {error}, given {shown(line)}") from None
        if key not in ignore:
            names[key] = name
    if not 1 <= len(names) <= MOST:
        raise InputError(
            f"{path}: 1 to {MOST} classes are taken, given {len(names)} that are not ignored"
        )
    largest = 2**24 if form is _COLOUR else 2**16
    if max(ignore, default=0) >= largest:
        raise InputError(
            f"config key data.ignore: {max(ignore)} is no id of the labels of {path}, 0 to "
            f"{largest - 1} allowed"
        )
    return SceneClasses(
        tuple(names.values()), tuple(names), tuple(ignore), form is _COLOUR, str(path)
    )


def _parse(form, place, line):
    """(id, name) of a line of a form; without one the id is its place. Raises InputError."""
    found = form.fullmatch(line) if form else None
    if form and not found:
        expected = "R G B<TAB>name" if form is _COLOUR else "id<TAB>name"
        raise InputError(f"expected {expected} as in the first line")
    if not form and (_ID.fullmatch(line) or _COLOUR.fullmatch(line)):
        raise InputError("expected a name alone as in the first line")
    *numbers, name = found.groups() if found else (line,)
    if not name.strip():
        raise InputError("an empty name")
    if "\t" in name.strip():
        raise InputError("a tab in the name")
    if not numbers:
        return place, name.strip()
    numbers, largest = [int(number) for number in numbers], 255 if form is _COLOUR else 2**16 - 1
    if max(numbers) > largest:
        raise InputError(f"a number is from 0 to {largest}")
    return functools.reduce(lambda id, number: id << 8 | number, numbers), name.strip()
