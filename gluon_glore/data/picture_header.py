"""What a picture's first bytes and its header declare, before anything of it is decoded.

Strangers send pictures, so no decoder is asked what a file is: the first bytes choose the decoder,
and a header that promises more memory than is allowed is refused by itself. JPEG: ITU T.81, annex
B. PNG: W3C, with APNG. GIF: version 89a. WebP: RFC 9649. TIFF: `tiff_header.py`.
"""

import re
import struct
from typing import NamedTuple, Optional

from ..utils.errors import InputError
from .tiff_header import read_tiff, tiff_orientation

# Bytes a pixel that decoding may take at its peak. Of ordinary pictures a progressive JPEG of full
# colour takes most: 6 of coefficients and 3 of pixels, and what fills its blocks at the edges.
PEAK_BYTES = 10
NOT_A_PICTURE = "not a readable picture"
_MAX_SIDE = 2**20  # pixels; OpenCV refuses longer ones, in other words
_MAX_SCANS = 100  # of a JPEG; each is a pass over all pixels, and ordinary files have about 10
_MAX_SEGMENTS = 2000  # of a JPEG before its pixels: 128 MiB of profiles and comments

_OPENCV = 6  # bytes a pixel: what it decodes is copied once on the way to Python
_PILLOW = 4 + 3  # bytes a pixel: its own four, and ours
# Two canvases of four bytes, a copy, and Pillow's own; a lossless picture was seen to take 17.6.
_WEBP = 18


class Jpeg(NamedTuple):
    """How a JPEG is stored that OpenCV decodes.

    `frame` is where its frame's content begins, `scan` where its pixels begin. In `one_piece` are
    those of one scan without restarts. `turn` is Exif's orientation, 1 to 8, which OpenCV follows.
    """

    frame: int
    scan: int
    one_piece: bool
    turn: int


class Header(NamedTuple):
    """A picture's `height` and `width` in pixels, and how it is decoded.

    `takes` is the bytes that decoding takes at its peak, without those of the file. `plugin` is the
    module of Pillow that decodes it, None for OpenCV. `data` is the file as the decoder is to see
    it, `orientation` what the decoder leaves to be done, as Exif counts it from 1 to 8.
    """

    height: int
    width: int
    takes: int
    data: bytes
    plugin: Optional[str] = None
    orientation: int = 1
    jpeg: Optional[Jpeg] = None

    @property
    def seen(self):
        """(height, width) of a picture that OpenCV decodes, as it is seen."""
        size = self.height, self.width
        return size[::-1] if self.jpeg and self.jpeg.turn > 4 else size


def read_header(data, max_pixels):
    """The `Header` of the encoded picture `data`, bytes or a bytearray.

    Raises InputError where it is no picture, one of a format that is not read, or one that has more
    than `max_pixels` or takes more than `PEAK_BYTES` for each of them.
    """
    name, read = _format(data)
    if read is None:
        raise InputError(f"{name} is not read: {ALLOWED}" if name else NOT_A_PICTURE)
    try:
        header = read(data)
    except (IndexError, OverflowError, struct.error):  # it ends before its header does
        raise InputError(NOT_A_PICTURE) from None
    height, width = header.height, header.width
    if height < 1 or width < 1:
        raise InputError(NOT_A_PICTURE)
    if height * width > max_pixels:
        raise InputError(f"picture of more than {max_pixels} pixels")
    if max(height, width) > _MAX_SIDE:
        raise InputError(f"picture of {height}x{width} pixels, a side has at most {_MAX_SIDE}")
    if header.takes > max_pixels * PEAK_BYTES:
        raise InputError(
            f"decoding this {name} of {height}x{width} pixels takes {header.takes} bytes, allowed "
            f"are {PEAK_BYTES} for each of --max-pixels {max_pixels}"
        )
    return header


def is_picture(start):
    """Whether a file whose first bytes are `start` is a picture, of a format that is read or not.

    `START` bytes are enough.
    """
    return format_name(start) is not None


def format_name(start):
    """The format of a picture whose first bytes are `start`, as "JPEG"; None where it is none.

    `START` bytes are enough.
    """
    return _format(start)[0]


def _format(data):
    """(name, reader) of a picture by its first bytes; (name, None) where it is not read."""
    for name, starts, inner, read in _FORMATS:
        if data.startswith(starts) and data.startswith(inner, 8):
            return name, read
    start = bytes(data[:START])
    return next((name for name, pattern in _OTHERS if pattern.match(start)), None), None


_SEGMENT = struct.Struct(">HH")
_FRAME = struct.Struct(">BHHB")
_SCAN, _EXIF, _RESTARTS = 0xFFDA, 0xFFE1, 0xFFDD
# Tables, comments and what applications write.
_PASSED = frozenset((0xFFC4, 0xFFCC, 0xFFDB, *range(0xFFE0, 0xFFF0), 0xFFFE)) - {_EXIF}
# Beginnings of a frame that are decoded: baseline, extended, progressive. Others are arithmetic
# coding, lossless and hierarchical ones.
_FRAMES = frozenset((0xFFC0, 0xFFC1, 0xFFC2))
_OTHER_FRAMES = frozenset(range(0xFFC3, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC}
_ALONE = frozenset((0xFF00, 0xFF01, *range(0xFFD0, 0xFFD8)))  # markers without a length


def _read_jpeg(data):
    """The `Header` of a JPEG: its segments are walked up to the first scan.

    Training decodes thousands of small pictures a second, so what all of them have is asked first.
    """
    at, frame, exif, restarts = 2, None, None, False
    segment, passed = _SEGMENT.unpack_from, _PASSED
    for _ in range(_MAX_SEGMENTS):
        marker, length = segment(data, at)
        if marker in passed:
            at += 2 + length
            continue
        if marker == _SCAN:
            break
        if marker in _FRAMES:
            frame, progressive = at + 4, marker == 0xFFC2
        elif marker == _EXIF:
            if exif is None and data[at + 4 : at + 10] == b"Exif\0\0":
                exif = at + 10, at + 2 + length
        elif marker == _RESTARTS:
            restarts = True
        elif marker < 0xFF00 or marker == 0xFFFF or marker in _ALONE:
            # As libjpeg does: what is no marker is passed over, and 0xFF before one.
            at = data.find(b"\xff", at + (2 if marker in _ALONE else 1))
            if at < 0:
                raise InputError(NOT_A_PICTURE)
            continue
        elif marker in _OTHER_FRAMES:
            raise InputError(
                f"JPEG of kind SOF{marker - 0xFFC0} is not read: give a baseline or progressive one"
            )
        else:
            raise InputError(NOT_A_PICTURE)
        at += 2 + length
    else:
        raise InputError(f"JPEG of more than {_MAX_SEGMENTS} segments before its pixels")
    if frame is None:
        raise InputError(NOT_A_PICTURE)
    bits, height, width, channels = _FRAME.unpack_from(data, frame)
    if bits != 8:
        raise InputError(f"JPEG of {bits} bits is not read: give one of 8")
    if channels not in (1, 3, 4):
        raise InputError(NOT_A_PICTURE)
    takes = height * width * 3
    scans = progressive or data[at + 4] < channels
    if scans:  # all coefficients are kept
        if data.count(b"\xff\xda", at) > _MAX_SCANS:
            raise InputError(f"JPEG of more than {_MAX_SCANS} scans: save it anew")
        takes += _coefficients(data, frame, height, width, channels)
    turn = tiff_orientation(data[exif[0] : exif[1]]) if exif else 1
    if channels < 4:
        jpeg = Jpeg(frame, at, not (scans or restarts), turn)
        return Header(height, width, max(takes, height * width * _OPENCV), data, jpeg=jpeg)
    takes = max(takes + height * width, height * width * _PILLOW)
    return Header(height, width, takes, data, "JpegImagePlugin", turn)


def _coefficients(data, frame, height, width, channels):
    """Bytes of all coefficients of a JPEG whose frame's content begins at `frame`."""
    samplings = [data[frame + 7 + 3 * i] for i in range(channels)]
    across = max(1, max(s >> 4 for s in samplings))
    down = max(1, max(s & 15 for s in samplings))
    blocks = sum((s >> 4) * (s & 15) for s in samplings)
    return -(-height // (8 * down)) * -(-width // (8 * across)) * blocks * 128


_CHUNK = struct.Struct(">I4s")
# Chunks that say what the pixels are; those of the second row come once. A decoder sees no other:
# texts and profiles swell when they are unpacked, a million wrong dates are a million warnings.
_PIXELS = frozenset((b"IDAT", b"IEND"))
_ONCE = frozenset((b"IHDR", b"PLTE", b"tRNS", b"eXIf"))


def _read_png(data):
    """The `Header` of a PNG, of whose chunks a decoder sees those that say what the pixels are."""
    kind, width, height = struct.unpack_from(">4sII", data, 12)
    if kind != b"IHDR":
        raise InputError(NOT_A_PICTURE)
    # `shown` are the bytes before `start` that a decoder sees, where others are left out.
    at, size, seen, start, shown, view = 8, len(data), set(), 0, bytearray(), memoryview(data)
    while at + 8 <= size:
        length, kind = _CHUNK.unpack_from(data, at)
        if at + length + 12 > size:
            raise InputError(NOT_A_PICTURE)  # OpenCV would take as much memory, and fill it
        if kind in _ONCE and kind not in seen:
            seen.add(kind)
        elif kind not in _PIXELS:
            shown += view[start:at]
            start = at + length + 12
        at += length + 12
        if kind == b"IEND":
            break
    else:
        raise InputError(NOT_A_PICTURE)
    if start or at < size:  # where no pixels came, OpenCV goes on behind the end
        shown += view[start:at]
        data = shown
    return Header(height, width, height * width * _OPENCV, data)


def _read_webp(data):
    """The `Header` of a WebP; of an animation its first frame is decoded."""
    kind, turn = bytes(data[12:16]), 1
    if kind == b"VP8X":
        width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
        data[29]  # the header is whole
        if data[20] & 8:
            exif = _riff_chunk(data, b"EXIF")
            turn = tiff_orientation(exif[6:] if exif.startswith(b"Exif\0\0") else exif)
    elif kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", data, 26))
    else:
        raise InputError(NOT_A_PICTURE)
    return Header(height, width, height * width * _WEBP, bytes(data), "WebPImagePlugin", turn)


def _riff_chunk(data, name):
    """The content of the first chunk of a `name` in a RIFF file, empty where there is none."""
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == name:
            return bytes(data[at + 8 : at + 8 + length])
        at += 8 + length + length % 2
    return b""


def _read_bmp(data):
    """The `Header` of a BMP."""
    (length,) = struct.unpack_from("<I", data, 14)
    if length not in (12, 40, 52, 56, 64, 108, 124):
        raise InputError(NOT_A_PICTURE)
    width, height = struct.unpack_from("<HH" if length == 12 else "<ii", data, 18)
    height = abs(height)  # a negative one says that the rows are stored from the top down
    return Header(height, width, height * width * _PILLOW, bytes(data), "BmpImagePlugin")


def _read_gif(data):
    """The `Header` of a GIF, of which a decoder sees what belongs to the first frame."""
    start = at = 13 + (6 << (data[10] & 7) if data[10] & 0x80 else 0)
    control = b""
    while data[at] == 0x21:  # an extension: comments, loops, and how the next frame is shown
        label, begin, at = data[at + 1], at, at + 2
        while data[at]:
            at += data[at] + 1
        at += 1
        if label == 0xF9 and at - begin == 8:
            control = data[begin:at]
    if data[at] != 0x2C:
        raise InputError(NOT_A_PICTURE)
    width, height = struct.unpack_from("<HH", data, 6)
    left, top, across, down = struct.unpack_from("<4H", data, at + 1)
    width, height = max(width, left + across), max(height, top + down)
    shown = b"".join([data[:start], control, memoryview(data)[at:]])
    return Header(height, width, height * width * _PILLOW, shown, "GifImagePlugin")


def _read_tiff(data):
    """The `Header` of a TIFF's first picture."""
    tiff = read_tiff(data)
    takes = tiff.height * tiff.width * _PILLOW + tiff.buffers
    return Header(tiff.height, tiff.width, takes, tiff.data, "TiffImagePlugin", tiff.orientation)


_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
# Name, what the file starts with, what it has at byte 8, and what reads its header.
_FORMATS = (
    ("JPEG", b"\xff\xd8\xff", b"", _read_jpeg),
    ("PNG", b"\x89PNG\r\n\x1a\n", b"", _read_png),
    ("TIFF", _TIFF, b"", _read_tiff),
    ("BMP", b"BM", b"", _read_bmp),
    ("GIF", (b"GIF87a", b"GIF89a"), b"", _read_gif),
    ("WebP", b"RIFF", b"WEBP", _read_webp),
)
ALLOWED = "give JPEG, PNG, WebP, BMP, TIFF or GIF"
START = 16  # bytes that say the format
_OTHERS = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        ("JPEG 2000", rb"\0\0\0\x0cjP|\xff\x4f\xff\x51"),
        ("JPEG XL", rb"\0\0\0\x0cJXL |\xff\x0a"),
        ("JPEG XR", rb"II\xbc"),
        ("AVIF", rb"....ftypavi[fs]"),
        ("HEIF", rb"....ftyp(?:he[iv][cmsx]|mif1|msf1)"),
        ("PNM", rb"P[1-7]\s"),
        ("PFM", rb"P[Ff]\s"),
        ("Photoshop", rb"8BPS"),
        ("ICO", rb"\0\0[\x01\x02]\0"),
        ("OpenEXR", rb"\x76\x2f\x31\x01"),
        ("Radiance HDR", rb"#\?R(?:ADIANCE|GBE)"),
        ("Sun raster", rb"\x59\xa6\x6a\x95"),
    )
)
