"""Training's random pictures: crop, mirror, colour (recipe of the DPN work, paper section 4.1).

Padded crops are those of CIFAR's recipes (He et al. 2016, arXiv 1512.03385, section 4.2).
"""

import cv2
import numpy as np

from gluon_glore.data.image import center_part, resize
from gluon_glore.utils.errors import InputError

from .rand_augment import rand_augment
from .random_erasing import erase
from .random_part import random_part

PADS = {"reflect": cv2.BORDER_REFLECT_101, "zero": cv2.BORDER_CONSTANT}  # of `Augment.pad_mode`


def choose_crop(height, width, size, cfg, rng):
    """The part of a picture of `height` and `width` to train on: (top, left, height, width).

    `cfg` is an `Augment` configuration, `rng` a numpy Generator; `augment` makes the part a picture
    of `size`. Raises InputError where the whole picture is taken and has another size, or where one
    to be padded is too small.
    """
    if cfg.pad:
        check_padded(height, width, size, cfg)
        return 0, 0, height, width  # `augment` pads it, then cuts
    if cfg.area == (1.0, 1.0):
        return center_part(height, width, size)
    return random_part(height, width, cfg.area, cfg.aspect, rng)


def augment(crop, size, cfg, rng):
    """A random view of a crop: uint8 `(H, W, C)` -> uint8 `(*size, C)`.

    `cfg` and `rng` are those of `choose_crop`, called before: same generator, same view.
    """
    mirrored, shift = cfg.mirror and rng.random() < 0.5, None
    if any(cfg.hls) and crop.shape[2] == 3:
        shift = [rng.uniform(-limit, limit) for limit in cfg.hls]
    # What is drawn from here on leaves mirror and colour what they are without it.
    if cfg.pad:
        picture = padded_part(crop, size, cfg.pad, cfg.pad_mode, rng)
    else:
        # Bicubic as in the recipe; only what shrinks by more than half is averaged.
        picture = resize(crop, size, average_from=2)
    if mirrored:
        picture = cv2.flip(picture, 1).reshape(picture.shape)  # cv2 drops a last axis of 1
    if shift:
        picture = shift_hls(picture, shift)
    if cfg.rand_augment:
        strength = cfg.magnitude, cfg.magnitude_std
        picture = rand_augment(picture, cfg.rand_augment, *strength, rng)
    if cfg.erase and rng.random() < cfg.erase:
        picture = erase(picture, cfg.erase_area, rng)
    return picture


def check_padded(height, width, size, cfg):
    """Raise InputError where a picture, padded as `cfg` says, is too small for a part of `size`."""
    pad = cfg.pad
    if height + 2 * pad < size[0] or width + 2 * pad < size[1]:
        raise InputError(
            f"picture of {height}x{width} pixels, with augment.pad {height + 2 * pad}x"
            f"{width + 2 * pad}, the network takes {size[0]}x{size[1]}"
        )
    if cfg.pad_mode == "reflect" and min(height, width) <= pad:
        raise InputError(
            f"picture of {height}x{width} pixels, augment.pad {pad} reflects those that have more "
            "on both sides"
        )


def padded_part(picture, size, pad, mode, rng):
    """A random part of a padded picture: uint8 `(H, W, C)` -> uint8 `(*size, C)`.

    `mode` is that of `Augment.pad_mode`. All places are equally likely.
    """
    height, width, channels = picture.shape
    top = int(rng.integers(height + 2 * pad - size[0] + 1))
    left = int(rng.integers(width + 2 * pad - size[1] + 1))
    padded = cv2.copyMakeBorder(picture, pad, pad, pad, pad, PADS[mode])
    part = padded[top : top + size[0], left : left + size[1]]
    return part.reshape(*size, channels)  # cv2 drops a last axis of 1


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
