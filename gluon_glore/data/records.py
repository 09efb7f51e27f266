"""Labelled pictures in indexed RecordIO, MXNet's own container: `NAME.rec` beside `NAME.idx`."""

import contextlib
import math
import os
from pathlib import Path

import numpy as np

from ..utils.errors import InputError
from .class_names import names_beside, read_names
from .record_chunks import ChunkedRecords, spread_over
from .recordio import LABEL, parts


def write_records(path, samples):
    """Write `(encoded picture, label)` pairs to `path` and its index; both whole or neither.

    Keys count from 0 in the order given. Raises OSError where they can't be written, InputError on
    a picture that is too large for a record.
    """
    path = Path(path)
    index = path.with_suffix(".idx")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = [file.with_name(f".{file.name}.{os.getpid()}") for file in (index, path)]
    try:
        with open(temporary[0], "w") as listing, open(temporary[1], "wb") as file:
            for key, (picture, label) in enumerate(samples):
                listing.write(f"{key}\t{file.tell()}\n")
                file.writelines(parts(LABEL.pack(0, float(label), key, 0) + picture))
            for whole in (listing, file):
                whole.flush()
                os.fsync(whole.fileno())
        # The .rec comes last: where it is, its index is.
        for file, place in zip(temporary, (index, path)):
            os.replace(file, place)
    except OSError as error:
        if error.filename:  # of what could not be opened
            raise
        raise OSError(error.errno, f"can't be written: {error.strerror}") from None
    finally:
        for file in temporary:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()


def unpack(record):
    """The labels of a record's bytes, floats, and the bytes of its picture.

    Raises InputError where these are too few for the labels.
    """
    if len(record) < LABEL.size:
        raise InputError("damaged record")
    several, label, _, _ = LABEL.unpack_from(record)
    first = LABEL.size + 4 * several
    if len(record) < first:
        raise InputError("damaged record")
    labels = np.frombuffer(record, "<f4", several, LABEL.size) if several else (label,)
    return labels, record[first:]


class BadRecord(InputError):
    """A sample that can't be read. Raised by data sets; who reads them skips it or ends."""


class WrongLabel(InputError):
    """A label that no class has: an error of the whole set, so nobody skips the sample.

    Labels that count from 1, or of more classes than the network's, would else lose a class. The
    message names the sample, where a data set raises it.
    """


def check_label(label, classes=None) -> int:
    """A record's label, a float, as the number of one of `classes` classes (default: of any).

    Raises WrongLabel, which does not name the record, where it is none.
    """
    label = float(label)
    if label.is_integer() and 0 <= label < (math.inf if classes is None else classes):
        return int(label)
    if classes is None:
        raise WrongLabel(f"label {label:g} is out of range, whole numbers from 0 are allowed")
    raise WrongLabel(
        f"label {label:g} is out of range, 0 to {classes - 1} allowed for {classes} classes: they "
        "count from 0; pack the set again, or take as many classes as it has (model.classes)"
    )


class RecordDataset:
    """`dataset[i]` -> (encoded picture, label); safe to read from several threads.

    `path` is that of a .rec, of several as a pattern (train_*.rec), or a sequence of paths. Raises
    InputError as `ChunkedRecords` does; on reading, BadRecord where a record is damaged and
    WrongLabel where its label is not in 0..classes-1.
    """

    paths = ()  # of files: records are no files of their own

    def __init__(self, path, classes):
        self._given, self._classes = path, classes
        self._records = ChunkedRecords(path)
        self.path = self._records.path

    @property
    def class_names(self):
        """The names in the file beside it, a tuple in label order; None where there is none."""
        names = names_beside(self._given)
        return names and tuple(read_names(names))

    def __len__(self):
        return len(self._records)

    def name(self, i):
        """The record as an error message names it."""
        return self._records.name(i)

    def __getitem__(self, i):
        try:
            labels, picture = unpack(self._records.record(i).whole())
        except InputError:
            raise BadRecord(f"{self.name(i)}: damaged record") from None
        if len(labels) != 1:
            raise BadRecord(f"{self.name(i)}: one label expected, given {len(labels)}")
        (label,) = labels
        try:
            return picture, check_label(label, self._classes)
        except WrongLabel as error:
            raise WrongLabel(f"{self.name(i)}: {error}") from None

    def contents(self):
        """How many pictures of how many classes it has, in words."""
        names = self.class_names
        classes = f"{self._classes or 'any'} unnamed" if names is None else f"{len(names)}"
        return f"{len(self)} pictures of {classes} classes{spread_over(self._records.files)}"
