"""What the tables of an MP4 or QuickTime file promise, before FFmpeg makes an index of it.

FFmpeg takes some 37 bytes of memory for each sample that a header promises, and a header of twenty
bytes may promise four billion. A sample has a byte of the file, so more samples than bytes are a
lie. Boxes are searched by their names in all that is not a media data box, wherever they lie there:
FFmpeg finds them in more places than the standard has (ISO 14496-12, 8.6 to 8.8).
"""

import re
import struct

import numpy as np

from ..utils.errors import InputError

_TABLES = re.compile(rb"stsz|trun|stts|ctts|cmov")
_OURS = (b"ftyp", b"moov", b"moof")
_MOST_RUNS = 1000  # tables of runs in a file; each of up to 64 tracks has two


def refuse_false_tables(data):
    """Raise InputError where the bytes of a file promise more samples than it has bytes.

    Files of other kinds pass.
    """
    searched = _headers(data)
    samples = tables = 0
    for start, end in searched:
        for found in _TABLES.finditer(data, start, end):
            name, at = found.group(), found.end()
            if name == b"cmov":
                raise InputError("a video with a compressed header")
            if name in (b"stts", b"ctts"):
                tables += 1
                if tables > _MOST_RUNS or _in_runs(data, at) > len(data):
                    raise InputError("a video whose header promises more than it has")
            else:
                samples += _promised(name, data, at)
        if samples > len(data):
            raise InputError("a video whose header promises more than it has")


def _headers(data):
    """[(start, end), ...] of what is not in a media data box at the top; none of other files."""
    at, start, parts, ours = 0, 0, [], False
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        ours = ours or name in _OURS
        if size == 1 and at + 16 <= len(data):
            size = struct.unpack_from(">Q", data, at + 8)[0]
        if size == 0:
            size = len(data) - at
        if size < 8:
            break
        if name == b"mdat":
            parts.append((start, at))
            start = at + size
        at += size
    parts.append((min(start, len(data)), len(data)))
    return parts if ours else []


def _promised(name, data, at):
    """The samples that a box promises without a byte in the box for each: `stsz`, `trun`."""
    if at + 12 > len(data):
        return 0
    _, first, second = struct.unpack_from(">III", data, at)
    if name == b"trun":
        return first
    return second if first else 0  # else the box has the size of each


def _in_runs(data, at):
    """The samples in the runs of an `stts` or `ctts`: (number, what each has) and so on."""
    if at + 8 > len(data):
        return 0
    number = min(struct.unpack_from(">I", data, at + 4)[0], (len(data) - at - 8) // 8)
    return int(np.frombuffer(data, ">u4", 2 * number, at + 8)[::2].sum(dtype=np.uint64))
