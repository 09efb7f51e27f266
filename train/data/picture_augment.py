"""Training's random pictures: crop, mirror, colour (recipe of the DPN work, paper section 4.1)."""

import math

import cv2
import numpy as np

from gluon_glore.data.image import center_part, resize


def choose_crop(height, width, size, cfg, rng):
    """The part of a picture of `height` and `width` to train on: (top, left, height, width).

    `cfg` is an `Augment` configuration, `rng` a numpy Generator; `augment` makes the part a picture
    of `size`. Raises InputError where the whole picture is taken and has another size.
    """
    if cfg.area == (1.0, 1.0):
        return center_part(height, width, size)
    return random_part(height, width, cfg.area, cfg.aspect, rng)


def augment(crop, size, cfg, rng):
    """A random view of a crop: uint8 `(H, W, C)` -> uint8 `(*size, C)`.

    `cfg` and `rng` are those of `choose_crop`, called before: same generator, same view.
    """
    # Bicubic as in the recipe; only what shrinks by more than half is averaged.
    picture = resize(crop, size, average_from=2)
    if cfg.mirror and rng.random() < 0.5:
        picture = cv2.flip(picture, 1).reshape(picture.shape)  # cv2 drops a last axis of 1
    if any(cfg.hls) and picture.shape[2] == 3:
        picture = shift_hls(picture, [rng.uniform(-limit, limit) for limit in cfg.hls])
    return picture


def random_part(height, width, area, aspect, rng):
    """(top, left, height, width) of a random share of the area and a random aspect ratio.

    The ratio is uniform in its logarithm. Where ten draws do not fit, it is the largest part in the
    middle within the aspect limits.
    """
    for _ in range(10):
        pixels = rng.uniform(*area) * height * width
        ratio = math.exp(rng.uniform(*map(math.log, aspect)))
        w, h = round(math.sqrt(pixels * ratio)), round(math.sqrt(pixels / ratio))
        if 0 < w <= width and 0 < h <= height:
            top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
            return int(top), int(left), h, w
    w = min(width, round(height * aspect[1]))
    h = min(height, round(width / aspect[0]))
    return center_part(height, width, (h, w))


def shift_hls(picture, shift):
    """Shift hue (degrees), lightness and saturation (of 255) of an RGB picture."""
    planes = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HLS_FULL))
    hue, lightness, saturation = shift
    planes[0][...] += np.uint8(round(hue * 256 / 360) % 256)  # goes round: hue is a circle
    for plane, amount in zip(planes[1:], (lightness, saturation)):
        # Both stop at 0 and 255; of an amount below 0 OpenCV would make 16 bits first.
        move = cv2.add if amount > 0 else cv2.subtract
        move(plane, (abs(round(amount)), 0, 0, 0), dst=plane)
    return cv2.cvtColor(cv2.merge(planes), cv2.COLOR_HLS2RGB_FULL)
