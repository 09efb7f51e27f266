"""Pictures encoded as strangers send them, by Pillow and by hand."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def smooth(height, width, seed=0):
    """A picture of soft colours, which JPEG keeps."""
    small = np.random.RandomState(seed).randint(0, 256, (4, 5, 3)).astype(np.uint8)
    return Image.fromarray(small).resize((width, height), Image.BICUBIC)


def save(picture, kind, **options):
    """The bytes of a picture of Pillow's in the format `kind`."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif(orientation):
    """Exif data with an orientation."""
    data = Image.Exif()
    data[274] = orientation
    return data


def chunk(kind, content):
    """A chunk of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(pixels, kind=2, interlaced=False, before=b""):
    """A PNG of `(H, W, C)`, uint8 or uint16, with chunks `before` its pixels."""
    height, width, _ = pixels.shape
    steps = [(0, 0, 1, 1)]
    if interlaced:
        steps = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2)]
        steps += [(0, 1, 2, 2), (1, 0, 2, 1)]
    pixels = pixels.astype(pixels.dtype.newbyteorder(">"))
    rows = (row for y, x, down, across in steps for row in pixels[y::down, x::across])
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows), 1)
    bits = 8 * pixels.dtype.itemsize
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + head + before + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def tiff(tags, content=b"", order="<"):
    """A TIFF of `{tag: (type, number of values, four bytes)}`, its directory behind `content`."""
    start = 8 + len(content)
    entries = b"".join(
        struct.pack(order + "HHI", tag, kind, count) + value
        for tag, (kind, count, value) in sorted(tags.items())
    )
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", start)
    return head + content + struct.pack(order + "H", len(tags)) + entries + bytes(4)
