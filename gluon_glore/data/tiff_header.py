"""The first directory of a TIFF, and what decoding its picture takes. TIFF 6.0, and BigTIFF.

Exif is a TIFF too; its orientation is read here.
"""

import struct
from dataclasses import dataclass

from ..utils.errors import InputError

_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}  # of a directory's types
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SIZES.update({16: 8, 17: 8, 18: 8})
_MAX_ENTRIES = 1000  # of a directory; ordinary ones have about 20
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_OFFSETS, _ORIENTATION, _SAMPLES, _ROWS, _COUNTS = 273, 274, 277, 278, 279
_PLANES, _TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 284, 322, 323, 324, 325
_FORMAT = 339
# What a decoder sees of the directory: the tags that say how pixels are stored, each with the most
# values of it (None: one a strip or tile). Others, as Exif's own directories, may swell.
_TAGS = {
    **{tag: 1 for tag in (_WIDTH, _HEIGHT, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _ROWS, _PLANES)},
    **{tag: 1 for tag in (_TILE_WIDTH, _TILE_HEIGHT)},
    **{_OFFSETS: None, _COUNTS: None, _TILE_OFFSETS: None, _TILE_COUNTS: None},
    **{_BITS: 8, _FORMAT: 8},
    266: 1,  # the order of bits
    292: 1,  # options of the fax compressions
    293: 1,
    317: 1,  # the predictor
    320: 3 * 256,  # the palette
    338: 8,  # what samples beyond the colours are
    347: 2**16,  # tables of JPEG
    529: 3,  # how YCbCr is made of RGB
    530: 2,
    531: 1,
    532: 6,
}
_JPEG = 7
# None, three of faxes, LZW, JPEG, Deflate by both its numbers, PackBits.
_COMPRESSIONS = frozenset((1, 2, 3, 4, 5, _JPEG, 8, 32773, 32946))
_PHOTOMETRICS = frozenset((0, 1, 2, 3, 5, 6))  # grey of two kinds, RGB, palette, CMYK, YCbCr
_STRIP = 1000  # bytes that Pillow takes for its list of strips and tiles, for each


@dataclass(frozen=True)
class Tiff:
    """The first picture of a TIFF: its size in pixels, and its Exif orientation.

    `buffers` is the bytes that decoding takes beside the pixels. `data` is the file with a
    directory of its own that has what decoding needs and nothing else.
    """

    height: int
    width: int
    orientation: int
    buffers: int
    data: bytes


def read_tiff(data):
    """The `Tiff` of a file's bytes.

    Raises InputError where its pixels are stored in a way that is not read, and IndexError or
    struct.error where it ends before its directory does.
    """
    directory = _Directory(data)
    one = directory.one
    height, width = one(_HEIGHT, 0), one(_WIDTH, 0)
    samples, bits = one(_SAMPLES, 1), directory.values(_BITS, (1,))
    compression, photometric = one(_COMPRESSION, 1), one(_PHOTOMETRIC, 0)
    _refuse(compression not in _COMPRESSIONS, f"compression {compression}")
    _refuse(photometric not in _PHOTOMETRICS, f"photometric interpretation {photometric}")
    _refuse(set(directory.values(_FORMAT, (1,))) != {1}, "signed samples or fractions")
    _refuse(not 1 <= samples <= 8, f"{samples} samples a pixel")
    _refuse(set(bits) not in ({1}, {2}, {4}, {8}, {16}), f"{bits[0]} bits a sample")
    _refuse(bits[0] == 16 and photometric == 0, "16 bits a sample whose 0 is white")
    if _TILE_OFFSETS in directory.entries or _TILE_WIDTH in directory.entries:
        across, down = one(_TILE_WIDTH, 0), one(_TILE_HEIGHT, 0)
        tables = _TILE_OFFSETS, _TILE_COUNTS
    else:
        across, down = width, min(one(_ROWS, height), height)
        tables = _OFFSETS, _COUNTS
    if not across or not down:
        raise IndexError
    strips = -(-height // down) * -(-width // across) * (samples if one(_PLANES, 1) == 2 else 1)
    for tag, most in _TAGS.items():
        if tag in directory.entries and directory.entries[tag][1] > (most or strips):
            raise InputError(f"TIFF with too many values of tag {tag}")
    if sum(directory.values(tables[1], ())) > 2 * len(data):
        raise InputError("TIFF whose strips or tiles overlap")
    buffers = strips * _STRIP
    if compression != 1:
        # A strip or tile is unpacked as a whole; inside JPEG's, all coefficients may be kept.
        buffers += across * down * (samples * bits[0] + 7) // 8
        buffers += across * down * samples * 2 if compression == _JPEG else 0
    orientation = directory.orientation()
    return Tiff(height, width, orientation, buffers, directory.with_tags(_TAGS))


def tiff_orientation(data):
    """The orientation, 1 to 8, that a TIFF's first directory says; 1 where it can't be read."""
    try:
        return _Directory(data).orientation()
    except (IndexError, OverflowError, struct.error, InputError):
        return 1


def _refuse(wrong, what):
    """Raise InputError where pixels are stored in a way that is not read."""
    if wrong:
        raise InputError(f"TIFF of {what} is not read: save it as 8 bits a sample, LZW or Deflate")


class _Directory:
    """The first directory of a TIFF: `entries` is {tag: (type, number of values, position)}."""

    def __init__(self, data):
        self.data = data
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]), "<")
        self.big = self._unpack("H", 2) == 43
        at = self._unpack("Q", 8) if self.big else self._unpack("I", 4)
        number = self._unpack("Q" if self.big else "H", at)
        if number > _MAX_ENTRIES:
            raise InputError(f"TIFF of more than {_MAX_ENTRIES} tags")
        at += 8 if self.big else 2
        self._size, self._inline = (20, 8) if self.big else (12, 4)
        self.entries, self._raw = {}, {}
        for entry in range(at, at + number * self._size, self._size):
            tag, kind = struct.unpack_from(self.order + "HH", data, entry)
            count = self._unpack("Q" if self.big else "I", entry + 4)
            place = entry + self._size - self._inline
            if count * _SIZES.get(kind, 1) > self._inline:
                place = self._unpack("Q" if self.big else "I", place)
            self.entries[tag] = kind, count, place
            self._raw[tag] = bytes(data[entry : entry + self._size])

    def _unpack(self, code, at):
        """The number at byte `at`."""
        return struct.unpack_from(self.order + code, self.data, at)[0]

    def values(self, tag, default):
        """The integers of a tag. Raises struct.error where they lie beyond the end."""
        kind, count, place = self.entries.get(tag, (None, 0, 0))
        if not count or kind not in _INTEGERS:
            return default
        if count * _SIZES[kind] > len(self.data):
            raise IndexError
        return struct.unpack_from(f"{self.order}{count}{_INTEGERS[kind]}", self.data, place)

    def one(self, tag, default):
        """The first integer of a tag."""
        return self.values(tag, (default,))[0]

    def orientation(self):
        """The orientation, 1 to 8; 1 where it is another number or there is none."""
        told = self.one(_ORIENTATION, 1)
        return told if 1 <= told <= 8 else 1

    def with_tags(self, tags):
        """The file with a first directory, at its end, that has those of `tags` and is the last."""
        kept = [self._raw[tag] for tag in sorted(self._raw) if tag in tags]
        end = len(self.data) + len(self.data) % 2
        number, offset = ("Q", "Q") if self.big else ("H", "I")
        start = 8 if self.big else 4
        view = memoryview(self.data)  # whose parts are no copies
        return b"".join(
            [
                view[:start],
                struct.pack(self.order + offset, end),
                view[start + (8 if self.big else 4) :],
                bytes(end - len(self.data)),
                struct.pack(self.order + number, len(kept)),
                *kept,
                bytes(8 if self.big else 4),
            ]
        )
