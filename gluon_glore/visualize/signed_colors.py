"""Signed numbers as colors: two of them for the signs, the brighter the larger, dark for zero."""

from typing import NamedTuple, Tuple

import cv2
import numpy as np

from ..utils.errors import InputError

_ZERO = (30, 33, 40)  # of a weight of 0
_DIM = 0.36  # brightness of a picture below a map


class SignColors(NamedTuple):
    """The colors of positive and of negative numbers, [red, green, blue] each."""

    positive: Tuple[int, int, int]
    negative: Tuple[int, int, int]

    def of(self, number):
        """The color of a number's sign."""
        return self.positive if number > 0 else self.negative


COLORS = {
    "blue-orange": SignColors((255, 150, 28), (64, 148, 255)),  # for color-blind people too
    "paper": SignColors((255, 72, 56), (46, 214, 96)),  # red and green, as in Figure 7
}
DEFAULT = "blue-orange"


def colors_of(name) -> SignColors:
    """A row of `COLORS`. Raises InputError where there is none of that name."""
    if name not in COLORS:
        raise InputError(f"colors are {' or '.join(COLORS)}, given {name!r}")
    return COLORS[name]


def overlay(picture, values, colors=COLORS[DEFAULT]):
    """A map `(h, w)` over a darkened picture, uint8 `(H, W, 3 or 1)`: RGB `(H, W, 3)`.

    The map's largest number is brightest, whatever its sign.
    """
    height, width = picture.shape[:2]
    rgb = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.shape[2] == 1 else picture
    return _mix(rgb * np.float32(_DIM), _relative(spread(values, (height, width))), colors)


def colored(values, colors=COLORS[DEFAULT]):
    """Signed numbers `(h, w)` as colors, uint8 `(h, w, 3)`: the largest is brightest."""
    dark = np.broadcast_to(np.float32(_ZERO), (*values.shape, 3))
    return _mix(dark, _relative(values), colors)


def spread(values, size):
    """A map `(h, w)` interpolated to every pixel of a picture of `size` (H, W), bilinear.

    Row i of the map lies at pixel `i * H / h`, where a convolution that is padded by half its
    kernel is centred.
    """
    rows, columns = (
        np.minimum(np.arange(pixels, dtype=np.float32) * (n / pixels), n - 1)
        for n, pixels in zip(values.shape, size)
    )
    at = np.meshgrid(columns, rows)
    return cv2.remap(values.astype(np.float32), *at, cv2.INTER_LINEAR)


def _relative(values):
    """Signed numbers divided by the largest of them: -1 to 1."""
    return values / max(float(np.abs(values).max()), 1e-30)


def _mix(below, values, colors):
    """Colors of `values` (-1 to 1) over float RGB `below`, which shines through: uint8."""
    opacity = np.abs(values)[..., None]
    above = np.where(values[..., None] > 0, *(np.float32(color) for color in colors))
    return np.rint(np.minimum(below * (1 - opacity / 2) + above * opacity, 255)).astype(np.uint8)
