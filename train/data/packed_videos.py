"""Videos as records: their frames as JPEGs, so that any frame is read by decoding one.

A record's content: "vid1", the number of frames, height and width of each, frames a second, where
each frame ends, and the frames. Little-endian; the ends count from the end of their table.
"""

import math
import os
import struct
from pathlib import Path

import numpy as np

from gluon_glore.data.image import decode_image, max_pixels
from gluon_glore.data.video import FramesByNumber
from gluon_glore.utils.errors import InputError

_HEAD = struct.Struct("<4s3Id")
_NAME = b"vid1"
# RecordIO: a magic number before each part, its kind (whole, first, middle, last) and length; then
# the part, filled up to 4 bytes. Content is split where the magic number itself would stand in it.
_PART = struct.Struct("<II")
_BEGIN = 0xCED7230A
_MOST = 2**29 - 1  # bytes of a part
_LABEL = struct.Struct("<IfQQ")  # MXNet's IRHeader: how many labels follow, or one, and two keys


def pack_frames(frames, rate):
    """A record's content: `frames` are (JPEG, (height, width)), `rate` how many come a second.

    Raises InputError where there is none, they differ in size or are more than a record can hold.
    """
    jpegs, sizes = zip(*frames) if frames else ((), ())
    if len(set(sizes)) != 1:
        raise InputError("frames of several sizes" if sizes else "no frame")
    ends = np.cumsum([len(jpeg) for jpeg in jpegs])
    content = _HEAD.size + 4 * len(jpegs) + int(ends[-1])
    if content + _LABEL.size > _MOST:
        raise InputError(f"{content >> 20} MiB of frames, a record holds {(_MOST + 1) >> 20}")
    head = _HEAD.pack(_NAME, len(jpegs), *sizes[0], rate)
    return b"".join((head, ends.astype("<u4").tobytes(), *jpegs))


class PackedVideos:
    """The videos of an indexed RecordIO file as `train.pack_video` writes it.

    `name(i)`, `label(i)` as it was packed and `open(i)`, in any thread; reads what is asked for,
    not whole records. Raises InputError where the file or its index is missing, empty or damaged;
    `label` and `open`, not naming the record, where it is damaged.
    """

    def __init__(self, path):
        self.path = Path(path)
        index = self.path.with_suffix(".idx")
        try:
            self._file = open(self.path, "rb")  # noqa: SIM115 - open as long as this is
            lines = index.read_text(encoding="ascii").splitlines()
        except OSError as error:
            raise InputError(f"{error.filename}: {error.strerror}") from None
        except UnicodeDecodeError:
            lines = ["damaged"]
        try:
            places = [tuple(map(int, line.split("\t"))) for line in lines]
            self._keys, self._offsets = zip(*places) if places else ((), ())
        except ValueError:
            raise InputError(f"{index}: damaged index") from None
        if not places:
            raise InputError(f"{index}: empty, no records in it")

    def __len__(self):
        return len(self._keys)

    def name(self, i):
        """The record as an error message names it."""
        return f"{self.path} record {self._keys[i]}"

    def label(self, i) -> int:
        """The label of record i, 0 or more. Raises InputError where it has none or several."""
        count, label, _, _ = _LABEL.unpack(self._record(i).read(0, _LABEL.size))
        if count:
            raise InputError(f"one label expected, given {count}")
        if not (label.is_integer() and label >= 0):
            raise InputError(f"label {label:g} is out of range, whole numbers from 0 are allowed")
        return int(label)

    def open(self, i):
        """Record i as a `PackedVideo`."""
        return PackedVideo(self._record(i))

    def _record(self, i):
        """Record i, to be read from."""
        return _Record(self._file, self._offsets[i])


class PackedVideo(FramesByNumber):
    """A record's frames, with the interface of `gluon_glore.data.video.Video`.

    Raises InputError, here or when frames are read, where the record is damaged.
    """

    def __init__(self, record):
        self._record = record
        name, self._length, *size, self.rate = _HEAD.unpack(record.read(_LABEL.size, _HEAD.size))
        self.size = tuple(size)
        if name != _NAME:
            raise InputError("not a packed video")
        table = _LABEL.size + _HEAD.size
        self._start = table + 4 * self._length
        ends = np.frombuffer(record.read(table, 4 * self._length), "<u4").astype(int)
        sound = self._length and min(self.size) > 0 and math.isfinite(self.rate) and self.rate > 0
        if not sound or not (np.diff(ends, prepend=0) > 0).all():
            raise InputError("damaged packed video")
        if self.size[0] * self.size[1] > max_pixels():
            raise InputError(f"video of more than {max_pixels()} pixels")
        self._ends = [0, *ends.tolist()]

    def __len__(self):
        return self._length

    def frames(self, indices, channels=3):
        """Yield `(index, uint8 (H, W, channels))`, RGB or grey, of each index once, ascending.

        Raises InputError where one is damaged.
        """
        for index in self.ascending(indices):
            start, end = self._ends[index : index + 2]
            try:
                picture = decode_image(
                    self._record.read(self._start + start, end - start), channels
                )
            except InputError as error:
                raise InputError(f"frame {index}: {error}") from None
            if picture.shape[:2] != self.size:
                raise InputError(f"frame {index}: not of the video's size")
            yield index, picture


class _Record:
    """The bytes of a record, read where they are asked for. Raises InputError where damaged."""

    def __init__(self, file, offset):
        self._file = file
        kind, self._length = self._part(offset)
        self._offset = offset + _PART.size
        self._whole = self._join(offset) if kind else None

    def read(self, start, length):
        if self._whole is not None:
            data = self._whole[start : start + length]
        elif start + length <= self._length:
            data = os.pread(self._file.fileno(), length, self._offset + start)
        else:
            data = b""
        if len(data) < length:
            raise InputError("damaged record")
        return data

    def _part(self, offset):
        """Kind and length of the part that begins at an offset."""
        head = os.pread(self._file.fileno(), _PART.size, offset) if 0 <= offset < 2**63 else b""
        if len(head) < _PART.size:
            raise InputError("damaged record")
        begin, word = _PART.unpack(head)
        kind, length = word >> 29, word & _MOST
        if begin != _BEGIN or offset + _PART.size + length > os.fstat(self._file.fileno()).st_size:
            raise InputError("damaged record")
        return kind, length

    def _join(self, offset):
        """A parted record, one in thousands, is read as a whole."""
        parts, kind = [], None
        while kind != 3:
            kind, length = self._part(offset)
            if kind != (2 if parts else 1) and not (parts and kind == 3):
                raise InputError("damaged record")
            parts.append(os.pread(self._file.fileno(), length, offset + _PART.size))
            offset += _PART.size + (length + 3 & ~3)
        return struct.pack("<I", _BEGIN).join(parts)
