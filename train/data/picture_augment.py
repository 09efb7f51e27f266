"""Training's random pictures: crop, mirror, colour (recipe of the DPN work, paper section 4.1)."""

import math

import cv2
import numpy as np

from gluon_glore.data.image import center_crop, resize


def augment(picture, size, cfg, rng):
    """A random view: uint8 `(H, W, C)` -> uint8 `(*size, C)`.

    `cfg` is an `Augment` configuration, `rng` a numpy Generator: same generator, same view.
    Raises InputError where the whole picture is taken and has another size.
    """
    if cfg.area == (1.0, 1.0):
        picture = center_crop(picture, size)
    else:
        # Bicubic as in the recipe; only what shrinks by more than half is averaged.
        crop = random_crop(picture, cfg.area, cfg.aspect, rng)
        picture = resize(crop, size, average_from=2)
    if cfg.mirror and rng.random() < 0.5:
        picture = cv2.flip(picture, 1).reshape(picture.shape)  # cv2 drops a last axis of 1
    if any(cfg.hls) and picture.shape[2] == 3:
        picture = shift_hls(picture, [rng.uniform(-limit, limit) for limit in cfg.hls])
    return picture


def random_crop(picture, area, aspect, rng):
    """A crop of a random share of the area and a random aspect ratio, uniform in its logarithm.

    Where ten draws do not fit, the largest centre crop within the aspect limits.
    """
    height, width = picture.shape[:2]
    for _ in range(10):
        pixels = rng.uniform(*area) * height * width
        ratio = math.exp(rng.uniform(*map(math.log, aspect)))
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
            return picture[top : top + h, left : left + w]
    w = min(width, round(height * aspect[1]))
    h = min(height, round(width / aspect[0]))
    return center_crop(picture, (h, w))


def shift_hls(picture, shift):
    """Shift hue (degrees), lightness and saturation (of 255) of an RGB picture."""
    hls = cv2.cvtColor(picture, cv2.COLOR_RGB2HLS_FULL)
    hue, lightness, saturation = shift
    hls = cv2.add(hls, (0, round(lightness), round(saturation), 0))  # stops at 0 and 255
    hls[..., 0] += np.uint8(round(hue * 256 / 360) % 256)  # goes round: hue is a circle
    return cv2.cvtColor(hls, cv2.COLOR_HLS2RGB_FULL)
