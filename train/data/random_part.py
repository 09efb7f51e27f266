"""A random part of a picture, of a share of its area and an aspect ratio between limits."""

import math

from gluon_glore.data.image import center_part


def random_part(height, width, area, aspect, rng):
    """(top, left, height, width) of a random share of the area and a random aspect ratio.

    The ratio is uniform in its logarithm. Where ten draws do not fit, it is the largest part in the
    middle within the aspect limits.
    """
    part = fitting_part(height, width, area, aspect, rng)
    if part:
        return part
    w = min(width, round(height * aspect[1]))
    h = min(height, round(width / aspect[0]))
    return center_part(height, width, (h, w))


def fitting_part(height, width, area, aspect, rng):
    """The part that `random_part` draws, or None where ten draws do not fit."""
    for _ in range(10):
        pixels = rng.uniform(*area) * height * width
        ratio = math.exp(rng.uniform(*map(math.log, aspect)))
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
            return int(top), int(left), h, w
    return None
