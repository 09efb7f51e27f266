"""RecordIO, MXNet's container: records one after the other, each in one part or in several.

A part is a magic number, its kind (whole, first, middle, last) and length, then the bytes, filled
up to 4; little-endian. Content is split where the magic number itself would stand in it.
"""

import os
import struct

from ..utils.errors import InputError

MOST = 2**29 - 1  # bytes of a part
LABEL = struct.Struct("<IfQQ")  # MXNet's IRHeader: how many labels follow, or one, and two keys
_PART = struct.Struct("<II")
_BEGIN = 0xCED7230A
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


def parts(data):
    """Yield the bytes that a record of `data` is in a file: it is split at each magic number.

    Raises InputError where it is too long for a record.
    """
    if len(data) > MOST:
        raise InputError(f"a record of {len(data)} bytes, at most {MOST} fit")
    begin = struct.pack("<I", _BEGIN)
    start, at = 0, data.find(begin)
    while at >= 0:
        step = 1
        if at % 4 == 0:  # readers look at every fourth byte
            kind, step = _MIDDLE if start else _FIRST, 4
            yield from (_PART.pack(_BEGIN, kind << 29 | at - start), data[start:at])
            start = at + step
        at = data.find(begin, at + step)
    kind = _LAST if start else _WHOLE
    yield from (_PART.pack(_BEGIN, kind << 29 | len(data) - start), data[start:])
    yield bytes(-len(data) % 4)


class Record:
    """The bytes of a record, read where they are asked for. Raises InputError where damaged."""

    def __init__(self, file, offset):
        self._file = file
        kind, self._length = self._part(offset)
        self._offset = offset + _PART.size
        self._joined = self._join(offset) if kind else None

    def read(self, start, length):
        """So many bytes of it, from byte `start` on. Raises InputError where it has them not."""
        if self._joined is not None:
            data = self._joined[start : start + length]
        elif start + length <= self._length:
            data = os.pread(self._file.fileno(), length, self._offset + start)
        else:
            data = b""
        if len(data) < length:
            raise InputError("damaged record")
        return data

    def whole(self):
        """All of it. Raises InputError where the file ends before."""
        return self.read(0, self._length) if self._joined is None else self._joined

    def _part(self, offset):
        """Kind and length of the part that begins at an offset."""
        part = _part_at(self._file, offset)
        if not part or offset + _PART.size + part[1] > os.fstat(self._file.fileno()).st_size:
            raise InputError("damaged record")
        return part

    def _join(self, offset):
        """A parted record, one in thousands, is read as a whole."""
        parts, kind = [], None
        while kind != _LAST:
            kind, length = self._part(offset)
            if kind != (_MIDDLE if parts else _FIRST) and not (parts and kind == _LAST):
                raise InputError("damaged record")
            parts.append(os.pread(self._file.fileno(), length, offset + _PART.size))
            offset += _PART.size + (length + 3 & ~3)
        return struct.pack("<I", _BEGIN).join(parts)


def _part_at(file, offset):
    """(kind, length) of the part that begins at an offset, None where none does."""
    head = os.pread(file.fileno(), _PART.size, offset)
    if len(head) < _PART.size:
        return None
    begin, word = _PART.unpack(head)
    return (word >> 29, word & MOST) if begin == _BEGIN else None


def begins_at(file, offset):
    """Whether a record begins at an offset."""
    part = _part_at(file, offset)
    return part is not None and part[0] in (_WHOLE, _FIRST)


def end_of(file, offset, size):
    """Where the record that begins at an offset ends, None where none does or the file is cut."""
    expected = (_WHOLE, _FIRST)
    while True:
        part = _part_at(file, offset)
        if not part or part[0] not in expected:
            return None
        kind, length = part
        offset += _PART.size + (length + 3 & ~3)
        if offset > size:
            return None
        if kind in (_WHOLE, _LAST):
            return offset
        expected = (_MIDDLE, _LAST)
