"""JPEG and PNG pictures one after the other in a stream of bytes, as `ffmpeg -f image2pipe` writes.

By hand, because PyAV's demuxers for pipes take one kind of picture only, read far ahead before they
give the first, take what stands between two pictures for a part of one, and do not tell of damage.

Where a picture ends is found by walking its segments (JPEG: ITU T.81, annex B) or chunks (PNG), so
a thumbnail inside one does not split it. A picture is given as soon as its last byte is there.
"""

import re
import zlib

from ..utils.errors import InputError

MAX_BYTES = 64 * 2**20  # of one picture, and so of the memory that a stream takes
_BLOCK = 2**16  # bytes that are read at once
# So many bytes between two pictures are not reported: they are boundaries of HTTP, or padding.
_MAX_BETWEEN = 1024

_START = re.compile(rb"\xff\xd8\xff|\x89PNG\r\n\x1a\n")
_LONGEST_START = 8
# Where a damaged length led past the next picture, that is looked for behind the end of another
# picture, where no thumbnail begins, or at the beginning of a PNG, which no thumbnail is.
_FOLLOWING = re.compile(rb"(?:\xff\xd9|IEND\xaeB`\x82)(?=\xff\xd8\xff)|(?=\x89PNG\r\n\x1a\n)")
# In the coded data of a scan 0xFF is followed by 0 or a restart marker. Any other marker ends it.
_SCAN_END = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")


def split_pictures(read, max_bytes=MAX_BYTES):
    """Yield the bytes of each picture, and an InputError in the place of each that is damaged.

    `read(size)` returns the next bytes of the stream, up to `size` of them, and none at its end.
    After a damaged picture, splitting goes on at the next beginning of one.
    """
    buffer = _Buffer(read, max_bytes)
    between, found = 0, False
    while True:
        start = _START.search(buffer.data)
        if start is None:
            between += buffer.drop(max(0, len(buffer.data) - _LONGEST_START + 1))
            if buffer.fill(len(buffer.data) + 1):
                continue
            break
        between += buffer.drop(start.start())
        if between > _MAX_BETWEEN:
            yield InputError(f"{between} bytes before byte {buffer.offset} are no JPEG or PNG")
        between, found = 0, True
        try:
            yield buffer.take(_length(buffer))
        except _Damaged as damage:
            yield InputError(f"picture at byte {buffer.offset} {damage.why}")
            following = _FOLLOWING.search(buffer.data, 2)
            buffer.drop(min(following.end() if following else damage.at, max(damage.at, 2)))
    between += len(buffer.data)
    if not found:
        yield InputError(f"no JPEG or PNG in the {between} bytes of the stream")
    elif between > _MAX_BETWEEN:
        yield InputError(f"the last {between} bytes are no JPEG or PNG")


class _Damaged(Exception):
    """A picture is damaged at its byte `at`; `why` says how, after "picture at byte 7"."""

    def __init__(self, at, why):
        super().__init__(why)
        self.at, self.why = at, why


class _Buffer:
    """The bytes of a stream from byte `offset` on, read when they are needed."""

    def __init__(self, read, max_bytes):
        self.read, self.max_bytes = read, max_bytes
        self.data, self.offset = bytearray(), 0

    def fill(self, length):
        """Read until there are `length` bytes. Returns False where the stream ends before."""
        while len(self.data) < length:
            block = self.read(_BLOCK)
            if not block:
                return False
            self.data += block
        return True

    def need(self, length):
        """Read until the first `length` bytes of a picture are there. Raises _Damaged."""
        if length > self.max_bytes:
            raise _Damaged(min(length, len(self.data)), f"has more than {self.max_bytes} bytes")
        if not self.fill(length):
            raise _Damaged(len(self.data), "is cut short by the end of the stream")

    def drop(self, length):
        """Remove the first `length` bytes. Returns how many these are."""
        del self.data[:length]
        self.offset += length
        return length

    def take(self, length):
        """Remove and return the first `length` bytes."""
        data = bytes(self.data[:length])
        self.drop(length)
        return data


def _length(buffer):
    """How many bytes the picture has that the buffer begins with. Raises _Damaged."""
    return _jpeg_length(buffer) if buffer.data[0] == 0xFF else _png_length(buffer)


def _jpeg_length(buffer):
    """`_length` of a JPEG file."""
    at = 2
    while True:
        buffer.need(at + 2)
        if buffer.data[at] != 0xFF:
            raise _Damaged(at, "is damaged")
        code = buffer.data[at + 1]
        if code == 0xD9:  # end of image
            return at + 2
        if code in (0x00, 0xD8):  # no marker; the beginning of the next picture
            raise _Damaged(at, "is damaged")
        if code == 0xFF:  # a marker may begin with several
            at += 1
        elif code == 0x01 or 0xD0 <= code <= 0xD7:  # markers that stand alone
            at += 2
        else:
            buffer.need(at + 4)
            at += 2 + int.from_bytes(buffer.data[at + 2 : at + 4], "big")
            if code == 0xDA:  # start of scan: coded data without a length
                at = _scan_end(buffer, at)


def _scan_end(buffer, at):
    """Where the coded data ends that begins at byte `at`. Raises _Damaged."""
    while True:
        buffer.need(at + 2)
        end = _SCAN_END.search(buffer.data, at)
        if end:
            return end.start()
        at = max(at, len(buffer.data) - 1)  # the last byte may be the 0xFF of a marker


def _png_length(buffer):
    """`_length` of a PNG file."""
    at = 8
    while True:
        buffer.need(at + 8)
        kind = bytes(buffer.data[at + 4 : at + 8])
        if not kind.isalpha():
            raise _Damaged(at, "is damaged")
        end = at + 12 + int.from_bytes(buffer.data[at : at + 4], "big")
        buffer.need(end)
        checksum = int.from_bytes(buffer.data[end - 4 : end], "big")
        if zlib.crc32(buffer.data[at + 4 : end - 4]) != checksum:
            raise _Damaged(end, "is damaged")
        at = end
        if kind == b"IEND":
            return at
