"""Training's random views of a labelled scene: scale, crop, mirror, colour.

Picture and label go through the same map, so that each pixel keeps its label.
"""

import cv2
import numpy as np

from gluon_glore.data.cityscapes import IGNORE

MEAN_COLOR = (124, 117, 104)  # the paper's mean: a network sees about 0 there
_LUMA = np.array([0.299, 0.587, 0.114])


def augment_scene(picture, label, size, cfg, rng, fill=MEAN_COLOR):
    """A random view: uint8 `(H, W, 3)` and uint8 `(H, W)` -> uint8 `(*size, 3)`, uint8 `size`.

    Where the scaled scene is smaller than `size`, it lies anywhere in it; around it the picture has
    the colour `fill` and the label is IGNORE. `cfg` is a `SceneAugment`, `rng` a numpy Generator:
    same generator, same view.
    """
    scale = rng.uniform(*cfg.scale)
    scaled = [max(1, round(length * scale)) for length in label.shape]
    top, left = (_offset(length, space, rng) for length, space in zip(scaled, size))
    mirror = cfg.mirror and rng.random() < 0.5
    factors = [1 + rng.uniform(-share, share) for share in cfg.jitter]

    # The part of the scaled scene that is seen, and what is missing of the view on either side.
    (y, above, below), (x, before, behind) = (
        _seen(*axis) for axis in zip((top, left), scaled, size)
    )
    # Linear sampling misses no pixel down to a half; what shrinks more is averaged in blocks first.
    block = int(1 / scale)
    if block > 1:
        small = [max(1, length // block) for length in label.shape]
        picture = cv2.resize(picture, small[::-1], interpolation=cv2.INTER_AREA)
    picture = _part(picture, scaled, y, x, cv2.INTER_LINEAR)
    label = _part(label, scaled, y, x, cv2.INTER_NEAREST)
    if any(cfg.jitter):
        picture = change_colors(picture, *factors)
    if above or below or before or behind:
        sides = (above, below, before, behind, cv2.BORDER_CONSTANT)
        picture = cv2.copyMakeBorder(picture, *sides, value=fill)
        label = cv2.copyMakeBorder(label, *sides, value=IGNORE)
    if mirror:
        picture, label = cv2.flip(picture, 1), cv2.flip(label, 1)
    return picture, label


def change_colors(picture, brightness, contrast, saturation):
    """Multiply an RGB picture's brightness, contrast (about its mean grey) and saturation.

    1 leaves a property as it is. One sum a pixel, rounded and cut off at 0 and 255 once.
    """
    gain = brightness * contrast
    mean = _LUMA @ cv2.mean(picture)[:3]
    mix = gain * (saturation * np.eye(3) + (1 - saturation) * _LUMA)
    offset = np.full((3, 1), brightness * (1 - contrast) * mean)
    return cv2.transform(picture, np.hstack([mix, offset]))


def _offset(length, space, rng):
    """Where a view of `space` pixels begins in `length`; below 0 where it is longer."""
    slack = length - space
    return int(rng.integers(min(0, slack), max(0, slack) + 1))


def _seen(start, length, space):
    """(first and last + 1 of `length` pixels seen, missing before them, missing behind)."""
    first, last = max(0, start), min(length, start + space)
    return (first, last), first - start, start + space - last


def _part(source, scaled, rows, columns, interpolation):
    """Rows and columns of `source` as if it were resized to `scaled`, without resizing it."""
    # Pixel i covers i to i + 1: centres map to centres, and borders to borders.
    ratio_y, ratio_x = (have / want for have, want in zip(source.shape, scaled))
    back = np.array(
        [
            [ratio_x, 0, (columns[0] + 0.5) * ratio_x - 0.5],
            [0, ratio_y, (rows[0] + 0.5) * ratio_y - 0.5],
        ]
    )
    return cv2.warpAffine(
        source,
        back,
        (columns[1] - columns[0], rows[1] - rows[0]),
        flags=interpolation | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
