"""Pictures: decoded, encoded, resized, and made the input of a network.

Evaluation, export, inference and serving all prepare pictures with the `Preprocess` of this file.
"""

import contextlib
import functools
import math
import os
from dataclasses import dataclass, replace
from typing import Tuple, Union

import cv2
import numpy as np

from ..utils import kinds
from ..utils.errors import InputError, naming
from ..utils.files import atomic_path, open_file
from .jpeg_part import first_rows, reduction
from .picture_header import NOT_A_PICTURE, PEAK_BYTES, read_header
from .pillow_decoder import decode_with_pillow

# The environment variable with the most pixels of a picture that is decoded, compared with its
# header before memory is allocated. OpenCV does that too: it reads this when it is imported.
PIXELS_VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"
_PIXELS_KEY = PIXELS_VARIABLE.encode()  # it is asked for each picture, and faster in bytes
_MOST_PIXELS = 2**26  # of a crop: more would take gigabytes
_COLOUR = kinds.number(-1e9, 1e9)
_FACTOR = kinds.number(0, 1e9, above=True)
PREPROCESS_FIELDS = {
    "size": kinds.listed(kinds.whole(1, 2**20), 1, 3),
    "resize": kinds.whole(0, 2**20),
    "mean": kinds.listed(_COLOUR, 1, 1024),
    "scale": kinds.either(_FACTOR, kinds.listed(_FACTOR)),
}
# By channels, and how many times smaller a JPEG becomes. Without RGB, OpenCV gives BGR. The flags
# REDUCED_COLOR have BGR in them, which since 4.12 can't stand beside RGB.
_FLAGS = {
    (3, 1): cv2.IMREAD_COLOR_RGB,
    (3, 2): cv2.IMREAD_REDUCED_GRAYSCALE_2 | cv2.IMREAD_COLOR_RGB,
    (3, 4): cv2.IMREAD_REDUCED_GRAYSCALE_4 | cv2.IMREAD_COLOR_RGB,
    (3, 8): cv2.IMREAD_REDUCED_GRAYSCALE_8 | cv2.IMREAD_COLOR_RGB,
    (1, 1): cv2.IMREAD_GRAYSCALE,
    (1, 2): cv2.IMREAD_REDUCED_GRAYSCALE_2,
    (1, 4): cv2.IMREAD_REDUCED_GRAYSCALE_4,
    (1, 8): cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
_MAX_ENLARGED = 2**24  # pixels that a narrow picture may grow to when its short side is resized


def max_pixels():
    """The most pixels of a picture that this process decodes."""
    return int(os.environb.get(_PIXELS_KEY, 2**30))


def refuse_depth(channels):
    """Raise InputError where files can't be decoded to so many channels."""
    if channels not in (1, 3):
        raise InputError(
            f"pictures are decoded to 3 channels or 1, the network takes {channels}: it runs on "
            "arrays, in Python: load_runtime"
        )


def decode_image(data, channels, choose=None, least=None):
    """Decode a JPEG, PNG, WebP, BMP, TIFF, or a GIF's first frame to uint8 `(H, W, channels)`.

    The pixels are RGB or grey, turned as the file's Exif orientation says. With `choose` only the
    part is returned that `choose(height, width)` says as (top, left, height, width): the same
    pixels, of which a JPEG's below are not decoded. With `least`, (height, width), a JPEG is
    decoded at a half, a quarter or an eighth of its size where the part has these sides then, and
    the part is returned so. Decoding takes at most `PEAK_BYTES` for each of `max_pixels()`.

    Raises InputError where `data` is no readable picture, or one that has more pixels or takes more
    memory, where there are other channels than 3 or 1, and what `choose` raises.
    """
    refuse_depth(channels)
    if not isinstance(data, (bytes, bytearray)):
        data = bytes(data)
    header = read_header(data, max_pixels())
    return _decode_part(header, channels, choose, least) if choose else _decode(header, channels)


def _decode_part(header, channels, choose, least):
    """The part of a `Header`'s picture, as `decode_image` says."""
    part = None
    if header.jpeg:
        part = choose(*header.seen)
        times, shorter = reduction(part, least), first_rows(header, part[0] + part[2])
        with contextlib.suppress(InputError):
            picture = _decode(shorter, channels, times)
            if picture.shape[:2] == tuple(-(-side // times) for side in shorter.seen):
                return _cut(picture, [place // times for place in part])
    picture = _decode(header, channels)
    if not part or picture.shape[:2] != header.seen:
        part = choose(*picture.shape[:2])
    return _cut(picture, part)


def _cut(picture, part):
    """The (top, left, height, width) of a picture."""
    top, left, height, width = part
    return picture[top : top + height, left : left + width]


def _decode(header, channels, times=1):
    """The whole picture of a `Header`; a JPEG's also 2, 4 or 8 `times` smaller.

    Raises InputError where it can't be decoded.
    """
    if header.plugin:
        return decode_with_pillow(header, channels)
    try:
        picture = cv2.imdecode(np.frombuffer(header.data, np.uint8), _FLAGS[channels, times])
    except cv2.error as error:
        if error.func == "validateInputImageSize":  # a limit set before it was imported
            raise InputError(f"picture of more than {max_pixels()} pixels") from None
        picture = None
    if picture is None:
        raise InputError(NOT_A_PICTURE)
    return picture.reshape(*picture.shape[:2], channels)


def read_image(path, channels):
    """Read a picture file to uint8 `(H, W, channels)`, RGB or grey.

    Raises InputError where it can't be read; the message does not name the file.
    """
    return decode_image(read_file(path), channels)


def read_file(path):
    """The bytes of a picture file, or of a pipe that this process was given.

    Raises InputError where it can't be read or has more bytes than decoding may take; the message
    does not name the file.
    """
    most = PEAK_BYTES * max_pixels()
    try:
        with open_file(path, most, pipe=True) as file:
            # Asked for more than there is, Python makes room for all of it first.
            size = os.fstat(file.fileno()).st_size
            data = file.read(size + 1)
            if len(data) > size:  # of a pipe, or a file that grows
                data += file.read(most + 1 - len(data))
    except InputError as error:
        raise InputError(str(error).removeprefix(f"{path}: ")) from None
    if len(data) > most:
        raise InputError(f"more than {most} bytes")
    return data


def encode_png(picture):
    """The bytes of a PNG file of uint8 RGB `(H, W, 3)` or `(H, W)`."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", picture)[1].tobytes()


def write_png(path, picture):
    """Write uint8 RGB `(H, W, 3)` or `(H, W)` as a PNG file, whole or not at all.

    Raises InputError where it can't be written.
    """
    with naming(path), atomic_path(path) as temporary:
        temporary.write_bytes(encode_png(picture))


@dataclass(frozen=True)
class Preprocess:
    """How a picture becomes the input of a network: resize, centre crop, normalise.

    `size` is (height, width) in pixels. The short side is resized to `resize` pixels before the
    crop; with 0 the picture is not resized. Then pixels, 0 to 255, become (pixel - mean) * scale,
    with one mean a channel, and one scale for all or one a channel. The defaults are the paper's
    (as in the DPN work). Raises InputError where a value is out of the range that
    `PREPROCESS_FIELDS` gives it, or there are more or fewer scales than channels.
    """

    size: Tuple[int, int] = (224, 224)
    resize: int = 256
    mean: Tuple[float, ...] = (124.0, 117.0, 104.0)
    scale: Union[float, Tuple[float, ...]] = 0.0167

    def __post_init__(self):
        for name in ("size", "mean", "scale"):
            if isinstance(getattr(self, name), list):  # equal to the tuple that a manifest gives
                object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, kind in PREPROCESS_FIELDS.items():
            kind.check(getattr(self, name), name)
        if math.prod(self.size) > _MOST_PIXELS:
            raise InputError(f"size: at most {_MOST_PIXELS} pixels in all, given {self.size}")
        if isinstance(self.scale, tuple) and len(self.scale) != self.channels:
            raise InputError(
                f"scale: one number, or one for each of {self.channels} channels, given "
                f"{len(self.scale)}"
            )

    @classmethod
    def for_size(cls, size):
        """The paper's preprocessing for RGB pictures of `size`: 256 : 224 is resize : size."""
        return cls(size=size, resize=round(min(size) * 256 / 224))

    def resized(self, size):
        """This preprocessing for another `size`, with `resize` in proportion."""
        ratio = min(size) / min(self.size)
        return replace(self, size=size, resize=round(self.resize * ratio))

    def fitted(self, channels, size, whole=False):
        """This preprocessing for a network that takes `channels`, as `Pixels.fitted` is called.

        Raises InputError where the network takes other channels.
        """
        if channels != self.channels:
            raise InputError(
                f"preprocess has a mean for {self.channels} channels, the network takes {channels}"
            )
        return self

    @property
    def channels(self) -> int:
        """Channels of a picture: 3 for RGB, 1 for grey."""
        return len(self.mean)

    @property
    def scales(self) -> Tuple[float, ...]:
        """The scale of each channel."""
        return self.scale if isinstance(self.scale, tuple) else (self.scale,) * self.channels

    @property
    def formula(self) -> str:
        """What becomes of a pixel, for a reader: "(pixel - [22.0]) * 0.0167"."""
        scale = list(self.scale) if isinstance(self.scale, tuple) else self.scale
        return f"(pixel - {list(self.mean)}) * {scale}"

    def __call__(self, picture, out=None):
        """uint8 `(H, W, C)` -> float32 `(C, *size)`, written to `out` where given.

        Raises InputError on a wrong size or depth.
        """
        return self.normalize(self.crop(picture), out)

    def crop(self, picture):
        """The part of a picture that the network sees: uint8 `(H, W, C)` -> uint8 `(*size, C)`.

        Raises InputError on a wrong size or depth.
        """
        if len(self.size) != 2:
            raise InputError(
                f"preprocess.size: the height and width of a picture, given {list(self.size)}"
            )
        if picture.ndim != 3 or picture.shape[2] != self.channels:
            raise InputError(
                f"expected a picture (height, width, {self.channels}), given {picture.shape}"
            )
        if self.resize:
            picture = resize_short(picture, self.resize)
        return center_crop(picture, self.size)

    def normalize(self, picture, out=None):
        """uint8 `(H, W, C)` -> float32 `(C, H, W)`, written to `out`, contiguous, where given."""
        if out is None:
            out = np.empty((self.channels, *picture.shape[:2]), np.float32)
        tables = _normalized(self.mean, self.scales)
        for plane, channel, table in zip(out, cv2.split(picture), tables):
            cv2.LUT(channel, table, dst=plane)
        return out


@functools.lru_cache(maxsize=8)
def _normalized(mean, scales):
    """For each channel, the normalised values of the pixels 0 to 255.

    Looking them up is seven times faster than computing them for every pixel.
    """
    pixels = np.arange(256, dtype=np.float32)
    return [(pixels - np.float32(m)) * np.float32(s) for m, s in zip(mean, scales)]


def resize(picture, size, interpolation=cv2.INTER_CUBIC, average_from=1):
    """`(H, W, C)` -> `(*size, C)`, by `interpolation`.

    Where both sides shrink more than `average_from` times, pixels are averaged instead, so that
    fine detail does not alias.
    """
    if picture.shape[:2] == tuple(size):
        return picture
    if all(new * average_from < old for new, old in zip(size, picture.shape)):
        interpolation = cv2.INTER_AREA
    resized = cv2.resize(picture, (size[1], size[0]), interpolation=interpolation)
    return resized.reshape(*size, picture.shape[2])  # cv2 drops a last axis of 1


def resize_short(picture, side):
    """Resize `(H, W, C)` so that the short side has `side` pixels, and the aspect stays.

    Raises InputError where a long, narrow picture would take too much memory.
    """
    height, width = picture.shape[:2]
    ratio = side / min(height, width)
    if ratio > 1 and height * width * ratio**2 > _MAX_ENLARGED:
        raise InputError(f"picture of {height}x{width} pixels is too narrow for its length")
    return resize(picture, (round(height * ratio), round(width * ratio)))


def center_crop(picture, size):
    """The middle `size` = (height, width) of a picture. Raises InputError where it is smaller."""
    return _cut(picture, center_part(*picture.shape[:2], size))


def center_part(height, width, size):
    """(top, left, *size) of the middle of a picture. Raises InputError where it is smaller."""
    if height < size[0] or width < size[1]:
        raise InputError(
            f"picture of {height}x{width} pixels, the network takes {size[0]}x{size[1]}"
        )
    return (height - size[0]) // 2, (width - size[1]) // 2, *size
