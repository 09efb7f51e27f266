"""Labels of pixels: PNGs whose numbers are read as they are stored.

A decoder of pictures makes colours of a palette and stretches few bits over 0 to 255; what counts
here is the number of each pixel. PNG: W3C.
"""

import struct
import zlib

import cv2
import numpy as np

from ..utils.errors import InputError
from .image import max_pixels
from .picture_header import NOT_A_PICTURE, read_header

_PNG = b"\x89PNG\r\n\x1a\n"
_IHDR_END = 33  # byte behind the first chunk: signature, length, kind, 13 bytes, checksum
_GREY, _RGB, _PALETTE = 0, 2, 3  # kinds of colour, at byte 25
_STORED = {(_GREY, bits) for bits in (1, 2, 4, 8, 16)} | {(_PALETTE, bits) for bits in (1, 2, 4, 8)}
_COLOURS = (b"PLTE", b"tRNS")  # chunks that make colours of numbers


def decode_label(data):
    """A PNG's numbers as they are stored: uint8 or, of 16 bits, uint16 `(H, W)`; of RGB colours.

    Those of a palette are its indices, of grey the values, both of any depth that PNG has. Of RGB
    with 8 bits a channel the colours are returned, uint8 `(H, W, 3)`. Exif's orientation turns
    them, as it turns the picture. Raises InputError where `data` is no readable PNG, one with
    transparency or of RGB with 16 bits, or one of more pixels than `max_pixels()`.
    """
    if not data.startswith(_PNG):
        raise InputError("a label file is a PNG, this is not")
    shown = read_header(data, max_pixels()).data
    bits, colour = shown[24], shown[25]
    if colour == _RGB and bits == 8:
        return _decode(_without_colours(shown, shown[:_IHDR_END]), cv2.IMREAD_COLOR_RGB)
    if (colour, bits) not in _STORED:
        raise InputError(
            "a label file is a PNG of ids (grey, or a palette) or of RGB colours of 8 bits, "
            f"without transparency: this is of kind {colour} with {bits} bits"
        )
    if zlib.crc32(shown[12:29]) != struct.unpack_from(">I", shown, 29)[0]:
        raise InputError(NOT_A_PICTURE)
    # A palette's indices are stored as grey is: without the palette they are grey.
    chunk = bytes(shown[12:25]) + bytes([_GREY]) + bytes(shown[26:29])
    head = bytes(shown[:12]) + chunk + struct.pack(">I", zlib.crc32(chunk))
    ids = _decode(_without_colours(shown, head), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_ANYDEPTH)
    return ids // (255 // (2**bits - 1)) if bits < 8 else ids


def _without_colours(data, head):
    """A PNG whose first chunk ends `head`, without the chunks that make colours of numbers."""
    kept, at, view = bytearray(head), _IHDR_END, memoryview(data)
    while at + 8 <= len(data):
        end = at + 12 + int.from_bytes(view[at : at + 4], "big")
        if view[at + 4 : at + 8] not in _COLOURS:
            kept += view[at:end]
        at = end
    return kept


def _decode(data, flags):
    """The pixels that OpenCV reads. Raises InputError."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:  # a limit of its own, set before it was imported
        pixels = None
    if pixels is None:
        raise InputError(NOT_A_PICTURE)
    return pixels
