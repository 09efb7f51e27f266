"""Pictures in and out: decoding and the preprocessing that evaluation, export and predict share."""

import functools
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Tuple

import cv2
import numpy as np

from ..utils.errors import InputError, naming
from ..utils.files import atomic_path

# What OpenCV reads when it is imported: the most pixels of a picture that it decodes. It compares
# them with the header's, of any format, before it allocates anything.
PIXELS_VARIABLE = "OPENCV_IO_MAX_IMAGE_PIXELS"
# What a narrow picture may grow to when its short side is resized.
_MAX_ENLARGED = 2**24


def max_pixels():
    """The most pixels of a picture that this process decodes."""
    return int(os.environ.get(PIXELS_VARIABLE, 2**30))


def decode_image(data, channels):
    """Decode a JPEG, PNG, ... in memory to uint8 `(H, W, channels)`, RGB or grey.

    Raises InputError where it is no readable picture, or one of more than `max_pixels()`.
    """
    flag = cv2.IMREAD_COLOR_RGB if channels == 3 else cv2.IMREAD_GRAYSCALE
    buffer = np.frombuffer(data, np.uint8)
    try:
        picture = cv2.imdecode(buffer, flag) if buffer.size else None
    except cv2.error as error:
        if error.func == "validateInputImageSize":
            raise InputError(f"picture of more than {max_pixels()} pixels") from None
        picture = None
    if picture is None:
        raise InputError("not a readable picture")
    return picture.reshape(*picture.shape[:2], channels)


def read_image(path, channels):
    """Read a picture file to uint8 `(H, W, channels)`. Raises InputError where it can't.

    Whoever reads many names the file in the message.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InputError(error.strerror) from None
    return decode_image(data, channels)


@dataclass(frozen=True)
class Preprocess:
    """Evaluation's way from a picture to a network's input: resize, centre crop, normalise.

    `size` is (height, width) in pixels; the short side is resized to `resize` pixels before the
    crop, 0 takes the picture as it is. Then (pixel - mean) * scale, pixels 0 to 255, one mean a
    channel. The defaults are the paper's (DPN work): [124, 117, 104] and 0.0167.
    """

    size: Tuple[int, int] = (224, 224)
    resize: int = 256
    mean: Tuple[float, ...] = (124.0, 117.0, 104.0)
    scale: float = 0.0167

    @classmethod
    def for_size(cls, size):
        """The paper's way to RGB pictures of `size`: 256 pixels of the short side for 224."""
        return cls(size=size, resize=round(min(size) * 256 / 224))

    def resized(self, size):
        """The same way to pictures of another `size`, `resize` in proportion."""
        ratio = min(size) / min(self.size)
        return replace(self, size=size, resize=round(self.resize * ratio))

    @property
    def channels(self) -> int:
        """The channels of a picture: 3 for RGB, 1 for grey."""
        return len(self.mean)

    def __call__(self, picture, out=None):
        """uint8 `(H, W, C)` -> float32 `(C, *size)`, written to `out` where given.

        Raises InputError on a wrong size or depth.
        """
        return self.normalize(self.crop(picture), out)

    def crop(self, picture):
        """The part of a picture that the network sees: uint8 `(H, W, C)` -> uint8 `(*size, C)`.

        Raises InputError on a wrong size or depth.
        """
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
        tables = _normalized(tuple(self.mean), self.scale)
        for plane, channel, table in zip(out, cv2.split(picture), tables):
            cv2.LUT(channel, table, dst=plane)
        return out


@functools.lru_cache(maxsize=8)
def _normalized(mean, scale):
    """What becomes of the pixels 0 to 255 of each channel: looked up, seven times faster."""
    pixels = np.arange(256, dtype=np.float32)
    return [(pixels - np.float32(m)) * np.float32(scale) for m in mean]


def resize(picture, size, interpolation=cv2.INTER_CUBIC, average_from=1):
    """`(H, W, C)` -> `(*size, C)`.

    Shrinking height and width more than `average_from` times averages, so that fine detail does
    not alias.
    """
    if picture.shape[:2] == tuple(size):
        return picture
    if all(new * average_from < old for new, old in zip(size, picture.shape)):
        interpolation = cv2.INTER_AREA
    resized = cv2.resize(picture, (size[1], size[0]), interpolation=interpolation)
    return resized.reshape(*size, picture.shape[2])  # cv2 drops a last axis of 1


def resize_short(picture, side):
    """Resize so that the short side has `side` pixels.

    Raises InputError where a long, narrow picture would take too much memory.
    """
    height, width = picture.shape[:2]
    ratio = side / min(height, width)
    if ratio > 1 and height * width * ratio**2 > _MAX_ENLARGED:
        raise InputError(f"picture of {height}x{width} pixels is too narrow for its length")
    return resize(picture, (round(height * ratio), round(width * ratio)))


def center_crop(picture, size):
    """The middle `size` = (height, width) of a picture. Raises InputError where it is smaller."""
    height, width = picture.shape[:2]
    if height < size[0] or width < size[1]:
        raise InputError(
            f"picture of {height}x{width} pixels, the network takes {size[0]}x{size[1]}"
        )
    top, left = (height - size[0]) // 2, (width - size[1]) // 2
    return picture[top : top + size[0], left : left + size[1]]


def write_png(path, picture):
    """Write uint8 RGB `(H, W, 3)` or `(H, W)` as a PNG file, whole or not at all.

    Raises InputError where it can't be written.
    """
    with naming(path), atomic_path(path) as temporary:
        temporary.write_bytes(encode_png(picture))


def encode_png(picture):
    """The bytes of a PNG file of uint8 RGB `(H, W, 3)` or `(H, W)`."""
    if picture.ndim == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", picture)[1].tobytes()
