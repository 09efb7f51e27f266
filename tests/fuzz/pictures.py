"""Pictures of every format that is read, of those that are not, and streams of pictures."""

import contextlib
import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from gluon_glore.data.image import decode_image, max_pixels
from gluon_glore.data.label_png import decode_label
from gluon_glore.data.picture_header import PEAK_BYTES
from gluon_glore.data.picture_stream import split_pictures
from gluon_glore.utils.errors import InputError

from .kind import MIB, Kind
from .mutate import mutate_bytes, repaired

SIDE = 16
# What is documented for each of the most pixels (`hunt.py` sets those), and decoders' own buffers.
MEMORY = PEAK_BYTES * 2**20 + 4 * MIB


def noise(*shape):
    """Random pixels of a shape, uint8, smooth enough to be compressed."""
    rng = np.random.RandomState(0)
    coarse = rng.randint(0, 256, (4, 4, *shape[2:])).astype("uint8")
    return cv2.resize(coarse, shape[1::-1]).reshape(shape)


def by_opencv(suffix, *options, shape=(SIDE, SIDE, 3), dtype="uint8"):
    """A picture as OpenCV writes it."""
    pixels = noise(*shape).astype(dtype)
    return cv2.imencode(suffix, pixels, list(options))[1].tobytes()


def by_pillow(kind, mode="RGB", frames=1, **options):
    """A picture as Pillow writes it, of so many frames."""
    first, *others = (
        Image.fromarray(np.roll(noise(SIDE, SIDE + 3, 3), i, 1)).convert(mode)
        for i in range(frames)
    )
    content = io.BytesIO()
    more = {"save_all": True, "append_images": others} if others else {}
    first.save(content, kind, **more, **options)
    return content.getvalue()


def turned(orientation=6):
    """Exif of a camera that was held on its side."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def jpegs():
    return [
        by_opencv(".jpg"),
        by_opencv(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        by_opencv(".jpg", cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
        by_opencv(".jpg", shape=(SIDE, SIDE, 1)),
        by_pillow("JPEG", exif=turned(), subsampling=2),
        by_pillow("JPEG", "CMYK"),
        by_pillow("JPEG", comment=b"a comment", optimize=True),
    ]


def chunk(kind, data):
    """A chunk of a PNG."""
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(depth, colour, interlaced=0, channels=1, more=b""):
    """A PNG of any depth and colour type: no library writes interlaced ones."""
    width = -(-SIDE * depth * channels // 8)
    row = bytes(1) + (bytes(width) if interlaced else bytes(range(width)))
    data = zlib.compress(row * SIDE * (1 + interlaced))  # interlaced rows are more, and shorter
    header = struct.pack(">IIBBBBB", SIDE, SIDE, depth, colour, 0, 0, interlaced)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + more + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def pngs():
    palette = chunk(b"PLTE", bytes(range(48))) + chunk(b"tRNS", bytes(5))
    return [
        by_opencv(".png"),
        by_opencv(".png", shape=(SIDE, SIDE, 4)),
        by_opencv(".png", shape=(SIDE, SIDE, 3), dtype="uint16"),
        by_pillow("PNG", "LA", exif=turned()),
        by_pillow("PNG", frames=3),
        png(8, 2, interlaced=1, channels=3),
        png(16, 6, interlaced=1, channels=4),
        png(4, 3, more=palette),
        png(
            1,
            0,
            more=chunk(b"tEXt", b"a\0b") + chunk(b"zTXt", b"a\0\0" + zlib.compress(b"b" * 999)),
        ),
        png(2, 3, interlaced=1, more=palette + chunk(b"gAMA", bytes(4))),
    ]


def with_checksums(data):
    """A PNG whose chunks have the checksums of what they hold."""
    data, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)


def webps():
    return [
        by_opencv(".webp"),
        by_pillow("WEBP", lossless=True),
        by_pillow("WEBP", "RGBA"),
        by_pillow("WEBP", frames=3, duration=40),
        by_pillow("WEBP", exif=turned(), quality=10),
    ]


def packed_bmp():
    """A BMP of run lengths, which no library writes."""
    palette = bytes(range(64)) * 16
    data = (bytes([5, 7, 0, 3, 1, 2, 3, 0]) + bytes([8, 9, 0, 0])) * SIDE + bytes([0, 1])
    head = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, len(data), 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", 1078 + len(data), 0, 0, 1078) + head + palette + data


def bmps():
    modes = ("RGB", "RGBA", "P", "L", "1")
    return [*(by_pillow("BMP", mode) for mode in modes), by_opencv(".bmp"), packed_bmp()]


def tiff(tags, data=bytes(3 * SIDE * SIDE), order="<"):
    """A TIFF of `{tag: (type, values)}`, its pixels where tag 273 or 324 says: behind the tags."""
    start = 8 + 2 + 12 * len(tags) + 4
    sizes, more, entries = {1: "B", 3: "H", 4: "I"}, b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        values = [start if value == "data" else value for value in values]
        field = struct.pack(f"{order}{len(values)}{sizes[kind]}", *values)
        if len(field) > 4:
            at = start + len(data) + len(more)
            field, more = struct.pack(f"{order}I", at), more + field
        entries += struct.pack(f"{order}HHI", tag, kind, len(values)) + field.ljust(4, b"\0")
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8)
    return head + struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + data + more


def tags(depth=8, samples=3, photometric=2, compression=1, **other):
    """The tags of a picture in one strip."""
    length = SIDE * SIDE * samples * depth // 8
    found = {256: (3, [SIDE]), 257: (3, [SIDE]), 258: (3, [depth] * samples)}
    found |= {259: (3, [compression]), 262: (3, [photometric]), 273: (4, ["data"])}
    found |= {277: (3, [samples]), 278: (3, [SIDE]), 279: (4, [length])}
    return found


def tiffs():
    tiles = {tag: value for tag, value in tags().items() if tag not in (273, 278, 279)}
    tiles |= {322: (3, [SIDE]), 323: (3, [SIDE]), 324: (4, ["data"]), 325: (4, [3 * SIDE * SIDE])}
    return [
        tiff(tags()),
        tiff(tags(), order=">"),
        tiff(tags(16), bytes(6 * SIDE * SIDE)),
        tiff({**tags(), 274: (3, [6]), 284: (3, [1])}),
        tiff(tags(1, 1, 0), bytes(SIDE * SIDE)),
        tiff(tiles),
        by_pillow("TIFF", compression="tiff_lzw"),
        by_pillow("TIFF", compression="tiff_deflate"),
        by_pillow("TIFF", compression="jpeg"),
        by_pillow("TIFF", "P", compression="packbits"),
        by_pillow("TIFF", "1", compression="group4"),
        by_pillow("TIFF", "RGBA", frames=2),
        by_opencv(".tiff", dtype="uint16"),
    ]


def gifs():
    return [
        by_pillow("GIF"),
        by_pillow("GIF", frames=3, loop=0),
        by_pillow("GIF", "L", transparency=0),
        by_pillow("GIF", "1", interlace=1),
        by_pillow("GIF", comment=b"a comment"),
    ]


def others():
    """Pictures of formats that are not read."""
    return [
        by_opencv(".jp2", shape=(32, 32, 3)),
        by_opencv(".jp2", shape=(64, 32, 1)),
        by_opencv(".pgm", shape=(SIDE, SIDE, 1)),
        by_opencv(".ppm"),
        by_opencv(".ras"),
        by_opencv(".hdr", dtype="float32"),
        by_opencv(".pfm", dtype="float32"),
        by_opencv(".pam"),
        by_pillow("ICO"),
        by_pillow("PCX"),
        by_pillow("TGA"),
        by_pillow("SGI"),
    ]


def decode(data, folder):
    """Decode a picture to RGB or to grey, and a part of it."""
    channels = 1 if len(data) % 2 else 3
    with contextlib.suppress(InputError):
        part = decode_image(data, channels, lambda height, width: (0, 0, 1 + height // 2, width))
        assert part.dtype == np.uint8 and part.shape[1:] == (part.shape[1], channels)
    pixels = decode_image(data, channels)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == channels
    assert 0 < pixels.shape[0] * pixels.shape[1] <= max_pixels()


def labels():
    """PNGs that hold the classes of pixels: of grey, of a palette, of colours."""
    palette = chunk(b"PLTE", bytes(range(48))) + chunk(b"tRNS", bytes(5))
    return [
        by_opencv(".png", shape=(SIDE, SIDE, 1)),
        by_opencv(".png", shape=(SIDE, SIDE, 1), dtype="uint16"),
        by_opencv(".png"),
        by_pillow("PNG", "P", exif=turned()),
        png(1, 0),
        png(4, 3, more=palette),
        png(2, 3, interlaced=1, more=palette + chunk(b"gAMA", bytes(4))),
    ]


def read_label(data, folder):
    """Read the ids or colours of a label file."""
    label = decode_label(data)
    assert label.dtype in (np.uint8, np.uint16) and label.shape[2:] in ((), (3,))
    assert 0 < label.shape[0] * label.shape[1] <= max_pixels()


def decode_none(data, folder):
    """Decode a picture of a format that is not read, which may have become another's."""
    known = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"GIF8")
    decode(data, folder)
    if not data.startswith(known):
        raise AssertionError(f"read a picture that begins with {data[:8]!r}")


def streams():
    return [b"".join([jpegs()[0], pngs()[0], jpegs()[1]]), b"--frame\r\n".join([jpegs()[5]] * 3)]


def split(data, folder):
    """Split a stream of pictures; refused are those of which no picture comes out."""
    pieces = list(split_pictures(io.BytesIO(data).read, max_bytes=2**16))
    refused = [piece for piece in pieces if isinstance(piece, InputError)]
    taken = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
    assert taken <= len(data)
    for piece in refused:
        raise piece


def kind(seeds, mutate=mutate_bytes, target=decode):
    """A kind of pictures."""
    return Kind(seeds, mutate, target, memory=MEMORY)


ROWS = {
    "jpeg": kind(jpegs),
    "png": kind(pngs, repaired(mutate_bytes, with_checksums)),
    "label": kind(labels, repaired(mutate_bytes, with_checksums), read_label),
    "webp": kind(webps),
    "bmp": kind(bmps),
    "tiff": kind(tiffs),
    "gif": kind(gifs),
    "other-pictures": kind(others, target=decode_none),
    "stream": kind(streams, target=split),
}
