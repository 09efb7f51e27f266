"""RandAugment (Cubuk et al. 2020, arXiv 1909.13719): a few of 14 operations, all of one strength.

Operations and ranges are those of torchvision (`transforms.RandAugment`), where strength rises with
the magnitude for all; its levels, 0 to 10, and deviation are timm's. What comes in at an edge is
grey, 128, as in the authors' code. OpenCV computes them, for of the libraries torchvision takes
PyTorch, imgaug is no longer kept and draws from a state of its own, Albumentations has no
RandAugment and takes numpy 1.24, and Pillow's operations copy each array there and back.
"""

import cv2
import numpy as np

LEVELS = 10  # the largest magnitude
FILL = (128, 128, 128)
_LUMA = np.float32((0.299, 0.587, 0.114))
# Pillow's SMOOTH; sharpness goes from here to the picture, and as far beyond.
_SMOOTH = np.float32([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13


def rand_augment(picture, operations, magnitude, std, rng):
    """Apply so many random operations: uint8 `(H, W, C)` of 3 channels or 1 -> the same shape.

    Each has its own magnitude, normal around `magnitude` with deviation `std` and cut off at 0 and
    10, and where it has a direction, either at random.
    """
    draws = rng.random((operations, 2)).tolist()
    levels = (magnitude + std * rng.standard_normal(operations)).tolist()
    for (choice, side), level in zip(draws, levels):
        operation, largest, signed = _ROWS[int(choice * len(_ROWS))]
        amount = largest * min(max(level, 0.0), LEVELS) / LEVELS
        changed = operation(picture, -amount if signed and side < 0.5 else amount)
        picture = changed.reshape(picture.shape)  # cv2 drops a last axis of 1
    return picture


def identity(picture, _):
    """The picture itself."""
    return picture


def autocontrast(picture, _):
    """Stretch each channel from 0 to 255; one of a single value stays."""
    planes = cv2.split(picture)
    for plane in planes:
        low, high, _, _ = cv2.minMaxLoc(plane)
        if low < high:
            scale = 255 / (high - low)
            cv2.convertScaleAbs(plane, dst=plane, alpha=scale, beta=-low * scale)
    return cv2.merge(planes)


def equalize(picture, _):
    """Give each channel an even histogram from 0 to 255; one of a single value stays."""
    return cv2.merge([cv2.equalizeHist(plane) for plane in cv2.split(picture)])


def rotate(picture, degrees):
    """Turn counter-clockwise around the centre."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1)
    return _affine(picture, matrix, cv2.INTER_LINEAR)


def shear_x(picture, amount):
    """Move rows to the left by `amount` times their distance from the top."""
    matrix = np.float32([[1, amount, amount / 2], [0, 1, 0]])
    return _affine(picture, matrix, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def shear_y(picture, amount):
    """Move columns up by `amount` times their distance from the left."""
    matrix = np.float32([[1, 0, 0], [amount, 1, amount / 2]])
    return _affine(picture, matrix, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def translate_x(picture, share):
    """Move to the left by a share of the width, in whole pixels."""
    move = round(share * picture.shape[1])
    kept = picture[:, max(move, 0) : picture.shape[1] + min(move, 0)]
    return _bordered(kept, 0, 0, max(-move, 0), max(move, 0))


def translate_y(picture, share):
    """Move up by a share of the height, in whole pixels."""
    move = round(share * picture.shape[0])
    kept = picture[max(move, 0) : picture.shape[0] + min(move, 0)]
    return _bordered(kept, max(-move, 0), max(move, 0), 0, 0)


def solarize(picture, amount):
    """Invert the values from 256 - `amount` on."""
    return cv2.LUT(picture, _SOLARIZED[round(amount)])


def posterize(picture, bits):
    """Set so many of the lower bits to 0."""
    return picture & np.uint8(0xFF << round(bits) & 0xFF)


def color(picture, amount):
    """Colour that is 1 + `amount` times as strong; 0 were grey. Grey pictures stay."""
    if picture.shape[2] == 1:
        return picture
    return cv2.transform(picture, (1 + amount) * np.eye(3, dtype=np.float32) - amount * _LUMA)


def contrast(picture, amount):
    """1 + `amount` times the distance from the mean of the grey picture."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.shape[2] == 3 else picture
    return _linear(picture, 1 + amount, -amount * round(cv2.mean(grey)[0]))


def brightness(picture, amount):
    """1 + `amount` times the values."""
    return _linear(picture, 1 + amount, 0)


def sharpness(picture, amount):
    """1 + `amount` times the distance from the smoothed picture; outermost pixels stay."""
    kernel = -amount * _SMOOTH
    kernel[1, 1] += 1 + amount
    sharp = cv2.filter2D(picture, -1, kernel).reshape(picture.shape)
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        sharp[edge] = picture[edge]
    return sharp


def _affine(picture, matrix, flags):
    size = picture.shape[1::-1]
    return cv2.warpAffine(
        picture, matrix, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=FILL
    )


def _bordered(picture, top, bottom, left, right):
    return cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=FILL)


def _linear(picture, factor, shift):
    """factor * value + shift, rounded, between 0 and 255."""
    return cv2.addWeighted(picture, factor, picture, 0, shift)


def _solarized(amount):
    values = np.arange(256)
    return np.where(values < 256 - amount, values, 255 - values).astype(np.uint8)


_SOLARIZED = [_solarized(amount) for amount in range(257)]
# Name: the operation, its amount at the largest magnitude, whether it goes both ways.
OPERATIONS = {
    "identity": (identity, 0, False),
    "autocontrast": (autocontrast, 0, False),
    "equalize": (equalize, 0, False),
    "rotate": (rotate, 30, True),
    "solarize": (solarize, 256, False),
    "color": (color, 0.9, True),
    "posterize": (posterize, 4, False),
    "contrast": (contrast, 0.9, True),
    "brightness": (brightness, 0.9, True),
    "sharpness": (sharpness, 0.9, True),
    "shear_x": (shear_x, 0.3, True),
    "shear_y": (shear_y, 0.3, True),
    "translate_x": (translate_x, 150 / 331, True),
    "translate_y": (translate_y, 150 / 331, True),
}
_ROWS = tuple(OPERATIONS.values())
