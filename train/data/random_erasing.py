"""Random erasing (Zhong et al. 2020, arXiv 1708.04896): a part of a picture becomes noise."""

import numpy as np

from .random_part import fitting_part

ASPECT = (0.3, 3.3)  # width / height of the part


def erase(picture, area, rng):
    """A copy of uint8 `(H, W, C)` with noise in a random part of it.

    `area`: limits of the part's share of the picture. Each of its pixels and channels is uniform
    from 0 to 255, the paper's best of four fillings. The picture is left as it is where ten parts
    do not fit into it.
    """
    part = fitting_part(*picture.shape[:2], area, ASPECT, rng)
    if not part:
        return picture
    top, left, height, width = part
    erased = picture.copy()
    noise = rng.integers(0, 256, (height, width, picture.shape[2]), np.uint8)
    erased[top : top + height, left : left + width] = noise
    return erased
