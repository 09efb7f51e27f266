"""The forms that the lines of a list have, each a row, and which of them a list has.

A line is a form's by all of it, against the suffixes of pictures or videos: so `a b.mp4 30 0` is a
path with a blank, frames and a label, not a path `a b.mp4 30`.
"""

import re
from array import array
from dataclasses import dataclass
from typing import Callable, Optional, Tuple

from ...utils.errors import InputError, shown
from .kinds import PICTURE, VIDEO, Kind
from .listing import Listing
from .text_lines import csv_fields, is_comment

_INTEGER = re.compile("-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_SYNSET = re.compile("n[0-9]{8}")
_SAMPLE = 50  # lines by which forms are tried before one is tried on all


@dataclass(frozen=True)
class Form:
    """A form of lines.

    `parse(line, kind)` gives (path, class), None for a line of another form, and raises InputError
    for one of this form that is of no use. `words` say what such a list is, `expected` how its
    lines look. Where `numbered`, a class that is a whole number is a label.
    """

    words: str
    expected: str
    parse: Callable[[str, Kind], Optional[Tuple[str, str]]]
    kinds: Tuple[Kind, ...] = (PICTURE, VIDEO)
    numbered: bool = True


class _Misfit(InputError):
    """A line that is not of a form."""


def path_label(line, kind):
    """`path label`, the path with a suffix of the kind."""
    path, _, label = "\t" not in line and _split(line, 1) or (None, None, None)
    return (path, label) if path and kind.has(path) else None


def path_tab_class(line, kind):
    """`path<TAB>class`."""
    path, _, name = line.partition("\t")
    path, name = path.rstrip(), name.lstrip()
    if not path or not name or "\t" in name or (kind.has(name) and not kind.has(path)):
        return None
    return path, name


def path_comma_class(line, kind):
    """`path,class`, either of them in quotes, the path with a suffix of the kind."""
    if "\t" in line:
        return None
    if '"' in line:
        fields = csv_fields(line)
        pairs = [fields] if fields and len(fields) == 2 else []
    else:
        commas = [at for at, sign in enumerate(line) if sign == ","]
        pairs = [(line[:at].rstrip(), line[at + 1 :].lstrip()) for at in commas[:64]]
    pairs = [(path, name) for path, name in pairs if kind.has(path) and name]
    return pairs[0] if len(pairs) == 1 else None


def path_frames_label(line, kind):
    """`path frames label`, of which the number of frames is not needed."""
    path, frames, label = _split(line, 2) or (None, None, None)
    return (path, label) if path and frames.isdecimal() and kind.has(path) else None


def id_label_path(line, kind):
    """`id label path`, as the trainer of the authors' video networks takes them."""
    fields = "\t" not in line and line.split(None, 2)
    if not fields or len(fields) < 3 or not all(map(str.isdecimal, fields[:2])):
        return None
    return (fields[2], str(int(fields[1]))) if kind.has(fields[2]) else None


def index_label_path(line, kind):
    """`index<TAB>label<TAB>path`, as MXNet's im2rec writes them.

    Raises InputError for several labels, and for one that is no whole number.
    """
    index, *labels, path = line.split("\t") if line.count("\t") > 1 else ("", "")
    if not _INTEGER.fullmatch(index) or not path or _number(path) is not None:
        return None
    numbers = [_number(label) for label in labels]
    if None in numbers:
        return None
    if len(numbers) > 1:
        raise InputError(f"{len(numbers)} labels, one is needed: index<TAB>label<TAB>path")
    if not numbers[0].is_integer():
        raise InputError(f"label {labels[0]}, a whole number is needed")
    return path, str(int(numbers[0]))


def picture_synset_box(line, kind):
    """`picture<TAB>synset<TAB>` and four numbers, a box; the pictures are in images/."""
    path, *rest = line.split("\t")
    if len(rest) != 5 or not kind.has(path) or not _SYNSET.fullmatch(rest[0]):
        return None
    return (f"images/{path}", rest[0]) if all(map(_INTEGER.fullmatch, rest[1:])) else None


def path_alone(line, kind):
    """`folder/path`: the class is the folder."""
    folder, slash, _ = line.rpartition("/")
    name = folder.rpartition("/")[2]
    return (line, name) if slash and name and kind.has(line) and "\t" not in line else None


def any_path(line, kind):
    """`path<TAB>class` or `path label`, whatever the path's suffix."""
    if "\t" in line:
        return path_tab_class(line, kind)
    path, _, label = _split(line, 1) or (None, None, None)
    # A path of no known suffix that ends in a number may be path and frames.
    return (path, label) if path and (kind.has(path) or not _split(path, 1)) else None


CAFFE = Form("a Caffe list", "path label", path_label, (PICTURE,))
PATH_LABEL = Form("a list of paths and labels", "path label", path_label, (VIDEO,))
PATHS = Form("a list of paths, classes by their folders", "folder/path", path_alone, numbered=False)
ANY = Form("a list", "path<TAB>class or path label, a whole number", any_path)
FORMS = (
    Form("a tab-separated list", "path<TAB>class", path_tab_class),
    CAFFE,
    PATH_LABEL,
    Form("a comma-separated list", "path,class", path_comma_class),
    Form("gluoncv's list", "path frames label", path_frames_label, (VIDEO,)),
    Form("the list of the authors' trainer", "id label path", id_label_path, (VIDEO,)),
    Form("MXNet's .lst", "index<TAB>label<TAB>path", index_label_path),
    Form(
        "tiny-imagenet's val_annotations.txt",
        "picture<TAB>synset<TAB>and a box of four numbers",
        picture_synset_box,
        (PICTURE,),
        numbered=False,
    ),
    PATHS,
)


def read_form(source, lines, kind):
    """The `Form` of a list's lines, and the `Listing`, its paths as they are written.

    Raises InputError for lines of several forms or of none, naming the first, and where two forms
    fit all lines and mean different things.
    """
    rows = [(number, line) for number, line in enumerate(lines[: 20 * _SAMPLE], 1) if line]
    sample = rows[:_SAMPLE]
    forms = [form for form in FORMS if kind in form.kinds]
    fitting = []
    for form in forms:
        if _fitting(form, sample, kind) == len(sample):
            try:
                listing = _read(form, source, lines, kind)
            except _Misfit:
                continue
            if listing.paths:  # else all lines are comments to it
                fitting.append((form, listing))
    if not fitting:
        # The form that most lines have says what the others lack; any paths will do for the first.
        best = max((ANY, *forms), key=lambda form: _fitting(form, sample, kind))
        try:
            return ANY, _read(ANY, source, lines, kind)
        except _Misfit:
            if best is ANY:
                raise
            return best, _read(best, source, lines, kind)
    (form, listing), *others = fitting
    for other, reading in others:
        _refuse_two(source, form, listing, other, reading)
    return form, listing


def _refuse_two(source, form, listing, other, reading):
    """Raise InputError where two readings of all lines differ."""
    pairs = zip(listing.paths, listing.classes), zip(reading.paths, reading.classes)
    for line, one, two in zip(listing.lines, *pairs):
        if one != two:
            raise InputError(
                f"{source} line {line}: {shown(one)} as {form.expected} or {shown(two)} as "
                f"{other.expected}: write path<TAB>class"
            )


def _fitting(form, rows, kind):
    """How many lines are of a form, or comments beside it."""

    def fits(line):
        try:
            return form.parse(line, kind) is not None or is_comment(line)
        except InputError:
            return True

    return sum(fits(line) for _, line in rows)


def _read(form, source, lines, kind):
    """All lines as of one form. Raises InputError, `_Misfit` where a line is not of it."""
    paths, classes, numbers = [], [], array("L")
    known = {}  # one text a class, not one a line
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            parsed = form.parse(line, kind)
        except InputError as error:
            raise InputError(f"{source} line {number}: {error}") from None
        if parsed is None:
            if is_comment(line):
                continue
            raise _Misfit(f"{source} line {number}: expected {form.expected}, given {shown(line)}")
        paths.append(parsed[0])
        classes.append(known.setdefault(parsed[1], parsed[1]))
        numbers.append(number)
    return Listing(form.words, paths, classes, numbers, form.numbered)


def _split(line, numbers):
    """(path, number before the last or None, label) of a line that ends in so many numbers."""
    fields = line.rsplit(None, numbers)
    if len(fields) <= numbers or not all(map(_INTEGER.fullmatch, fields[1:])):
        return None
    if "\t" in fields[0]:
        return None
    return fields[0], fields[1] if numbers == 2 else None, str(int(fields[-1]))


def _number(text):
    """A number's value, None where a text is none."""
    return float(text) if _NUMBER.fullmatch(text) else None
