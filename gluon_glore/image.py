"""Pictures in and out: decoding and the preprocessing that evaluation, export and predict share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Tuple

import cv2
import numpy as np

from .errors import InputError


def decode_image(data, channels):
    """Decode a JPEG, PNG, ... in memory to uint8 `(H, W, channels)`, RGB or grey.

    Raises InputError where it is no readable picture.
    """
    flag = cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE
    buffer = np.frombuffer(data, np.uint8)
    picture = cv2.imdecode(buffer, flag) if buffer.size else None
    if picture is None:
        raise InputError("not a readable picture")
    if channels == 3:
        return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return picture[:, :, None]


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

    @property
    def channels(self) -> int:
        return len(self.mean)

    def __call__(self, picture):
        """uint8 `(H, W, C)` -> float32 `(C, *size)`. Raises InputError on a wrong size or depth."""
        if picture.ndim != 3 or picture.shape[2] != self.channels:
            raise InputError(
                f"expected a picture (height, width, {self.channels}), given {picture.shape}"
            )
        if self.resize:
            picture = resize_short(picture, self.resize)
        return self.normalize(center_crop(picture, self.size))

    def normalize(self, picture):
        """uint8 `(H, W, C)` -> float32 `(C, H, W)`"""
        x = (picture.astype(np.float32) - np.float32(self.mean)) * np.float32(self.scale)
        return np.ascontiguousarray(x.transpose(2, 0, 1))


def resize(picture, size, interpolation=cv2.INTER_CUBIC):
    """`(H, W, C)` -> `(*size, C)`; shrinking averages, so that fine detail does not alias."""
    if picture.shape[:2] == tuple(size):
        return picture
    if size[0] < picture.shape[0] and size[1] < picture.shape[1]:
        interpolation = cv2.INTER_AREA
    resized = cv2.resize(picture, (size[1], size[0]), interpolation=interpolation)
    return resized.reshape(*size, picture.shape[2])  # cv2 drops a last axis of 1


def resize_short(picture, side):
    """Resize so that the short side has `side` pixels."""
    height, width = picture.shape[:2]
    ratio = side / min(height, width)
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
