"""Videos as records: their frames as JPEGs, so that any frame is read by decoding one.

A record's content: "vid1", the number of frames, height and width of each, frames a second, where
each frame ends, and the frames. Little-endian; the ends count from the end of their table.
"""

import math
import struct

import numpy as np

from ..utils.errors import InputError
from .image import decode_image, max_pixels
from .record_chunks import ChunkedRecords
from .recordio import LABEL, MOST
from .records import check_label
from .video import FramesByNumber

_HEAD = struct.Struct("<4s3Id")
_NAME = b"vid1"


def pack_frames(frames, rate):
    """A record's content: `frames` are (JPEG, (height, width)), `rate` how many come a second.

    Raises InputError where there is none, they differ in size or are more than a record can hold.
    """
    jpegs, sizes = zip(*frames) if frames else ((), ())
    if len(set(sizes)) != 1:
        raise InputError("frames of several sizes" if sizes else "no frame")
    ends = np.cumsum([len(jpeg) for jpeg in jpegs])
    content = _HEAD.size + 4 * len(jpegs) + int(ends[-1])
    if content + LABEL.size > MOST:
        raise InputError(f"{content >> 20} MiB of frames, a record holds {(MOST + 1) >> 20}")
    head = _HEAD.pack(_NAME, len(jpegs), *sizes[0], rate)
    return b"".join((head, ends.astype("<u4").tobytes(), *jpegs))


class PackedVideos(ChunkedRecords):
    """The videos of indexed RecordIO as `train.pack_video` writes it, in one file or in several.

    `name(i)`, `label(i)` as it was packed and `open(i)`, in any thread; reads what is asked for,
    not whole records. Raises InputError as `ChunkedRecords` does; `label` and `open`, not naming
    the record, where it is damaged.
    """

    def label(self, i) -> int:
        """The label of record i, 0 or more. Raises InputError where it has none or several."""
        count, label, _, _ = LABEL.unpack(self.record(i).read(0, LABEL.size))
        if count:
            raise InputError(f"one label expected, given {count}")
        return check_label(label)

    def open(self, i):
        """Record i as a `PackedVideo`."""
        return PackedVideo(self.record(i))


class PackedVideo(FramesByNumber):
    """A record's frames, with the interface of `gluon_glore.data.video.Video`.

    Raises InputError, here or when frames are read, where the record is damaged.
    """

    def __init__(self, record):
        self._record = record
        name, self._length, *size, self.rate = _HEAD.unpack(record.read(LABEL.size, _HEAD.size))
        self.size = tuple(size)
        if name != _NAME:
            raise InputError("not a packed video")
        table = LABEL.size + _HEAD.size
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
