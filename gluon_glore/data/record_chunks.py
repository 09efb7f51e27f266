"""Records in one file or in several: `train_0.rec`, `train_1.rec`, ... as MXNet's im2rec cuts them.

`im2rec --chunks 3` makes data_0.rec to data_2.rec of its lists, and with `--train-ratio`
data_0_train.rec and so on, each with its index.
"""

import bisect
import glob
import itertools
import os
import re
from pathlib import Path

from ..utils.errors import InputError
from .record_index import IndexedRecords

_NUMBER = re.compile(r"[_.-]?[0-9]+(?=[^0-9]*$)")


def record_files(path):
    """The .rec files that `path` says: a path, a pattern of several, or a sequence of paths.

    Those of a pattern, as `train_*.rec`, come in the order of their numbers, 2 before 10; "~" is
    the user's folder. Returns a tuple of Paths. Raises InputError where a pattern finds none or
    leaves a number out, or a file comes twice. A single path is returned whether a file is there or
    not.
    """
    if not isinstance(path, (str, os.PathLike)):
        files = tuple(Path(file).expanduser() for file in path)
        _refuse_repeated(files)
        return files
    file = Path(path).expanduser()
    if not glob.has_magic(os.fspath(file)) or os.path.lexists(file):
        return (file,)
    found = [Path(name) for name in glob.glob(os.fspath(file)) if name.endswith(".rec")]
    if not found:
        raise InputError(f"{path}: no .rec file has such a name")
    _refuse_gaps(path, file.name, [name.name for name in found])
    return tuple(sorted(found, key=_by_number))


def names_files(path):
    """The files of class names beside records, `train_0.classes.txt`, a list.

    Of several files also the one without their number, `train.classes.txt`. Raises InputError as
    `record_files` does.
    """
    files = record_files(path)
    beside = [file.with_suffix(".classes.txt") for file in files]
    if len(files) > 1:
        whole = (file.with_name(f"{_NUMBER.sub('', file.stem)}.classes.txt") for file in files)
        beside += dict.fromkeys(file for file in whole if file not in beside)
    return [file for file in beside if file.is_file()]


class ChunkedRecords:
    """The records of all files that `record_files` finds, numbered through, in their order.

    Any thread may read. Raises InputError as `record_files` does, and for each file as
    `IndexedRecords` does.
    """

    def __init__(self, path):
        self.files = record_files(path)
        #: Where they are from, for messages; of several paths the first.
        self.path = Path(path).expanduser() if isinstance(path, (str, Path)) else self.files[0]
        self._chunks = [IndexedRecords(file) for file in self.files]
        self._ends = list(itertools.accumulate(map(len, self._chunks)))

    def __len__(self):
        return self._ends[-1]

    def name(self, i):
        """The record as an error message names it, with its own file."""
        chunk, number = self._place(i)
        return chunk.name(number)

    def record(self, i):
        """Record i, as `IndexedRecords.record` gives it."""
        chunk, number = self._place(i)
        return chunk.record(number)

    def _place(self, i):
        """The file of record i, and its number there."""
        i = range(len(self))[i]
        number = bisect.bisect_right(self._ends, i)
        return self._chunks[number], i - (self._ends[number - 1] if number else 0)


def spread_over(files):
    """In words, where records lie that are in several files; "" for fewer."""
    if len(files) < 2:
        return ""
    return f" in {len(files)} files, {files[0].name} to {files[-1].name}"


def _by_number(file):
    """A sorting key of paths in which numbers are numbers."""
    parts = re.split("([0-9]+)", os.fspath(file))
    return [(int(part), part) if i % 2 else part for i, part in enumerate(parts)]


def _refuse_repeated(files):
    """Raise InputError for no file, or one that comes twice: its records would count double."""
    if not files:
        raise InputError("no .rec file given")
    places = [os.path.realpath(file) for file in files]
    for number, file in enumerate(files):
        if places[number] in places[:number]:
            raise InputError(f"{file}: given twice among {len(files)} .rec files")


def _refuse_gaps(path, pattern, names):
    """Raise InputError where the names that a pattern finds leave out one of a row of numbers."""
    before, star, behind = pattern.partition("*")
    if not star or glob.has_magic(before + behind):
        return
    parts = (name[len(before) : len(name) - len(behind)].lstrip("_.-") for name in names)
    numbers = {int(part) for part in parts if re.fullmatch("[0-9]{1,6}", part)}
    # Some count from 1: a first file that is missing looks the same, and `spread_over` says it.
    absent = sorted(set(range(1, max(numbers, default=0))) - numbers)
    if absent:
        raise InputError(
            f"{path}: {len(numbers)} files, up to number {max(numbers)}, and none of number "
            f"{', '.join(map(str, absent[:5]))}{', ...' * (len(absent) > 5)}: bring all, or give a "
            "pattern of those that are meant, as train_[0-3].rec"
        )
