"""Labelled pictures in indexed RecordIO, MXNet's own container: `NAME.rec` beside `NAME.idx`."""

import contextlib
import errno
import os
import threading
from pathlib import Path

import mxnet as mx

from gluon_glore.utils.errors import InputError


def write_records(path, samples):
    """Write `(encoded picture, label)` pairs to `path` and its index; both whole or neither.

    Keys count from 0 in the order given. Raises OSError where they can't be written.
    """
    path = Path(path)
    index = path.with_suffix(".idx")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = [file.with_name(f".{file.name}.{os.getpid()}") for file in (index, path)]
    try:
        writer = mx.recordio.MXIndexedRecordIO(*map(os.fspath, temporary), "w")
        for key, (picture, label) in enumerate(samples):
            header = mx.recordio.IRHeader(0, float(label), key, 0)
            try:
                writer.write_idx(key, mx.recordio.pack(header, picture))
            except mx.MXNetError:
                raise OSError(errno.EIO, "can't be written, is the disk full?") from None
        size = writer.tell()
        writer.close()
        if os.path.getsize(temporary[1]) != size:  # closing flushes, and does not say it can't
            raise OSError(errno.EIO, "can't be written whole, is the disk full?")
        for file in temporary:
            with open(file, "rb") as whole:
                os.fsync(whole.fileno())
        # The .rec comes last: where it is, its index is.
        for file, place in zip(temporary, (index, path)):
            os.replace(file, place)
    finally:
        for file in temporary:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()


class BadRecord(InputError):
    """A sample that can't be read. Raised by data sets; who reads them skips it or ends."""


class RecordDataset:
    """`dataset[i]` -> (encoded picture, label); safe to read from several threads.

    Raises InputError where the file or its index is missing, empty or damaged; on reading,
    BadRecord where a record is damaged or its label is not in 0..classes-1.
    """

    def __init__(self, path, classes):
        self.path = Path(path)
        self._classes = classes
        index = self.path.with_suffix(".idx")
        for file in (self.path, index):
            if not file.is_file():
                raise InputError(f"{file}: no such file")
            if file.stat().st_size == 0:
                raise InputError(f"{file}: empty, no records in it")
        try:
            self._records = mx.recordio.MXIndexedRecordIO(os.fspath(index), os.fspath(path), "r")
        except (ValueError, IndexError):
            raise InputError(f"{index}: damaged index") from None
        self._keys = self._records.keys
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._keys)

    def name(self, i):
        """The record as an error message names it."""
        return f"{self.path} record {self._keys[i]}"

    def __getitem__(self, i):
        try:
            with self._lock:
                record = self._records.read_idx(self._keys[i])
            header, picture = mx.recordio.unpack(record)
        except Exception as error:  # the native reader's own error, or struct's
            raise BadRecord(f"{self.name(i)}: damaged ({type(error).__name__})") from None
        label = header.label
        if getattr(label, "size", 1) != 1:
            raise BadRecord(f"{self.name(i)}: one label expected, given {label.size}")
        label = float(label)
        if not (label.is_integer() and 0 <= label < self._classes):
            raise BadRecord(
                f"{self.name(i)}: label {label:g} is out of range, 0 to {self._classes - 1} allowed"
            )
        return picture, int(label)
