"""The index of a RecordIO file: NAME.idx beside NAME.rec, a line `key<TAB>first byte` a record."""

import codecs
import contextlib
import fcntl
import os
import re
import sys
from pathlib import Path

import numpy as np

from ..utils.errors import InputError, listed
from ..utils.files import absent, write_text
from .recordio import Record, begins_at, end_of

# A key may be written as a float, lines may end as in Windows, and blank ones may come at the end.
_LINES = re.compile(r"(?:-?[0-9]+(?:\.0*)?\t-?[0-9]+(?:\r?\n|$))+[\r\n]*")
# An index is compared with all records of a file that is read in a second, else with some of them.
_SMALL = 1 << 28  # bytes
_COMPARED = 1000  # records


class IndexedRecords:
    """The records of NAME.rec by number, in the order of NAME.idx; any thread may read.

    A missing index is built, and written beside the file where that is possible. Raises InputError
    where the file is missing or empty, or the index is damaged or another file's: it repeats keys
    or places, leaves records out, or points to where none begins.
    """

    def __init__(self, path):
        self.path = Path(path)
        index = self.path.with_suffix(".idx")
        if not self.path.is_file():
            raise InputError(f"{self.path}: {absent(self.path, 'file')}")
        if self.path.stat().st_size == 0:
            raise InputError(f"{self.path}: empty, no records in it")
        try:
            self._file = open(self.path, "rb")  # noqa: SIM115 - open as long as this is
            self._keys, self._offsets = _read_or_build(index, self._file)
        except OSError as error:
            raise InputError(f"{error.filename or path}: {error.strerror}") from None

    def __len__(self):
        return len(self._keys)

    def name(self, i):
        """The record as an error message names it."""
        return f"{self.path} record {self._keys[i]}"

    def record(self, i) -> Record:
        """Record i. It and its reading raise InputError, not naming it, where it is damaged."""
        return Record(self._file, int(self._offsets[i]))


def _read_or_build(index, file):
    """(keys, offsets) of a file's records. Raises InputError, and OSError."""
    size = os.fstat(file.fileno()).st_size
    if not index.exists():
        with _alone(file):  # the ranks of a host open it at once: one builds, the others read
            if not index.exists():
                return _build(index, file, size)
    keys, offsets = _read(index)
    _compare(index, file, size, keys, offsets)
    return keys, offsets


@contextlib.contextmanager
def _alone(file):
    """Hold the others off that want the same, where the file's disk can."""
    locked = False
    with contextlib.suppress(OSError):
        fcntl.flock(file, fcntl.LOCK_EX)
        locked = True
    try:
        yield
    finally:
        if locked:
            fcntl.flock(file, fcntl.LOCK_UN)


def _read(index):
    """(keys, offsets) as an index's lines have them. Raises InputError, and OSError."""
    text = index.read_bytes().removeprefix(codecs.BOM_UTF8).decode("latin-1")
    if not text:
        raise InputError(f"{index}: empty, no records in it; delete it, and it is built anew")
    if not _LINES.fullmatch(text):
        raise InputError(f"{index}: damaged index; delete it, and it is built anew")
    if "." in text:
        text = re.sub(r"\.0*\t", "\t", text)
    # A million lines in a third of a second; a number that is too large becomes the largest.
    return np.fromstring(text, np.int64, sep=" ").reshape(-1, 2).T


def _build(index, file, size):
    """Find a file's records, from head to head, and write their index. Raises InputError."""
    if not begins_at(file, 0):
        raise InputError(
            f"{index}: no such file, and {file.name} begins with no record: python -m train.pack "
            "makes both"
        )
    print(f"{index}: no such file, it is built from {file.name}", file=sys.stderr, flush=True)
    offsets, offset = [], 0
    while offset < size:
        end = end_of(file, offset, size)
        if end is None:
            raise InputError(
                f"{file.name}: no index beside it and none can be built, for no whole record is at "
                f"byte {offset} of {size}, after {len(offsets)} others: pack it again"
            )
        offsets.append(offset)
        offset = end
    try:
        write_text(index, "".join(f"{key}\t{offset}\n" for key, offset in enumerate(offsets)))
    except OSError as error:
        note = f"{index}: {error.strerror}, so the index is kept in memory and built every time"
        print(note, file=sys.stderr, flush=True)
    return range(len(offsets)), np.array(offsets, np.int64)


def _compare(index, file, size, keys, offsets):
    """Raise InputError where an index is not that of a file.

    A record whose head is damaged is no fault of the index: it is found where it is read.
    """
    problems = []
    for what, values in (("key", keys), ("place", offsets)):
        repeated = len(values) - len(np.unique(values))
        if repeated:
            problems.append(f"{repeated} of its {len(values)} lines repeat another's {what}")
    order = np.sort(offsets)
    if order[0] != 0:
        problems.append(f"no line has the first record, at byte 0, but one has byte {order[0]}")
    if order[-1] >= size:
        problems.append(
            f"a record begins at byte {order[-1]}, the file has {size} (was it cut short?)"
        )
    if not problems:
        places = np.append(order, size)
        some = len(order) if size <= _SMALL else min(len(order), _COMPARED)
        numbers = np.linspace(0, len(order) - 1, some).astype(int)
        found = (_problem(file, size, places, i) for i in numbers)
        problems += filter(None, [next(filter(None, found), None)])
    if problems:
        raise InputError(
            f"{index}: not the index of {file.name}: {listed(problems)}; delete it, and it is "
            "built anew"
        )


def _problem(file, size, places, i):
    """What is wrong behind record i of an index's sorted places, or before it; None for nothing."""
    end = end_of(file, places[i], size)
    if end is None and i:  # damaged, or no record at all? The one before says it
        i -= 1
        end = end_of(file, places[i], size)
    following = places[i + 1]
    if end is None or end == following:
        return None
    if end < following and begins_at(file, end):
        return f"no line has the record at byte {end}"
    if following < size and not begins_at(file, following):
        return f"a line has byte {following}, where no record begins"
    return None  # the length of record i is damaged, not the index
