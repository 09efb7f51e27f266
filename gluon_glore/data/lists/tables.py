"""Lists in CSV whose first line names the columns: Kinetics' own and ImageNet's of Kaggle.

Kinetics: https://github.com/cvdfoundation/kinetics-dataset, files `id_start_end.mp4` of six digits
each. ImageNet: LOC_train_solution.csv and LOC_val_solution.csv of the "ImageNet Object
Localization Challenge" at Kaggle.
"""

import re
from array import array

from ...utils.errors import InputError, printable, shown
from .kinds import PICTURE, VIDEO
from .listing import Listing
from .places import by_stem
from .text_lines import csv_fields, is_comment

_USES = {
    "train": ("train", "training"),
    "val": ("val", "validate", "validation"),
}
_KINETICS = ("youtube_id", "time_start", "time_end")
_KAGGLE = ["imageid", "predictionstring"]
_SYNSET = re.compile("n[0-9]{8}")
_SECONDS = re.compile(r"([0-9]{1,6})(\.0*)?")


def read_table(source, lines, kind, base, use):
    """The `Listing` of a list whose first line names its columns; None where it is another.

    Raises InputError for a line that is of no use, naming it, and where no file is found.
    """
    header = next(((n, line) for n, line in enumerate(lines, 1) if line), None)
    columns = [name.lower() for name in header and csv_fields(header[1]) or ()]
    if kind is VIDEO and set(_KINETICS) <= set(columns):
        return _kinetics(source, _rows(source, lines, *header), columns, base, use)
    if kind is PICTURE and columns == _KAGGLE:
        return _kaggle(source, _rows(source, lines, *header), base)
    return None


def _rows(source, lines, first, header):
    """Yield (number, fields) of the lines behind the header."""
    width = len(csv_fields(header))
    for number, line in enumerate(lines[first:], first + 1):
        if not line:
            continue
        fields = csv_fields(line)
        if fields is None or len(fields) != width:
            if is_comment(line):
                continue
            raise InputError(
                f"{source} line {number}: expected {printable(header)}, given {shown(line)}"
            )
        yield number, fields


def _kinetics(source, rows, columns, base, use):
    """A `Listing` of Kinetics' own csv: the lines of a split."""
    if "label" not in columns:
        raise InputError(
            f"{source}: no column label, as in the csv of a test set: give one with "
            "label,youtube_id,time_start,time_end,split"
        )
    label, identity, start, end = map(columns.index, ("label", *_KINETICS))
    split = columns.index("split") if "split" in columns else None
    stems, classes, numbers, others, names = [], [], array("L"), {}, {}
    for number, fields in rows:
        if split is not None and fields[split].lower() not in _USES[use]:
            others[fields[split]] = others.get(fields[split], 0) + 1
            continue
        times = [_SECONDS.fullmatch(fields[at]) for at in (start, end)]
        if not fields[label] or not fields[identity] or "/" in fields[identity] or None in times:
            raise InputError(
                f"{source} line {number}: expected label, youtube_id, and time_start and time_end "
                f"in whole seconds, given {shown(','.join(fields))}"
            )
        stems.append("{}_{:06d}_{:06d}".format(fields[identity], *(int(t[1]) for t in times)))
        classes.append(names.setdefault(fields[label], fields[label]))
        numbers.append(number)
    if not stems and others:
        given = printable(", ".join(sorted(others)[:5]))
        raise InputError(
            f"{source}: no line of split {use}, its lines are of {given}: a list "
            "is read for training or for validation (--use)"
        )
    said = f", split {use}" if split is not None else ""
    if others:
        said += f", {sum(others.values()):,} lines of other splits left out"

    def folders(name):
        names = dict.fromkeys((name, name.replace(" ", "_")))
        splits = _USES[use]
        some = ["", *(f"{name}/" for name in names), *(f"{split}/" for split in splits)]
        return [*some, *(f"{split}/{name}/" for split in splits for name in names)]

    paths, place = by_stem(source, base, stems, classes, folders, VIDEO, ".mp4")
    return Listing(f"Kinetics' csv{said}{place}", paths, classes, numbers)


def _kaggle(source, rows, base):
    """A `Listing` of ImageNet's csv: the class is that of all boxes."""
    stems, classes, numbers, known = [], [], array("L"), {}
    for number, (stem, prediction) in rows:
        words = prediction.split()
        synsets = words[::5]
        if not synsets or len(words) % 5 or not all(map(_SYNSET.fullmatch, synsets)) or not stem:
            raise InputError(
                f"{source} line {number}: expected ImageId, and a synset and a box of four numbers "
                f"once or more, given {shown(f'{stem},{prediction}')}"
            )
        if len(set(synsets)) > 1:
            raise InputError(
                f"{source} line {number}: boxes of {len(set(synsets))} classes, "
                f"{' and '.join(sorted(set(synsets))[:2])}: a picture of one class is needed"
            )
        stems.append(stem)
        classes.append(known.setdefault(synsets[0], synsets[0]))
        numbers.append(number)

    def folders(name):
        return "", f"{name}/"

    paths, place = by_stem(source, base, stems, classes, folders, PICTURE, ".JPEG")
    return Listing(f"ImageNet's Kaggle csv{place}", paths, classes, numbers)
