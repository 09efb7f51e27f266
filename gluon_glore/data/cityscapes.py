"""Cityscapes' labels: the ids of label files, the train ids that networks learn, the colours.

Cordts et al., The Cityscapes Dataset for Semantic Urban Scene Understanding, CVPR 2016
(https://arxiv.org/abs/1604.01685). The table is that of the data set's own tools.
"""

from typing import NamedTuple, Tuple

import cv2
import numpy as np

from ..utils.errors import InputError

IGNORE = 255  # the train id of pixels that are neither learned nor evaluated


class Label(NamedTuple):
    """A row of the table. `id` is the number in label files, `train_id` the one a network learns.

    `has_instances`: the data set tells single objects apart. `color` is RGB, the authors' own.
    """

    name: str
    id: int
    train_id: int
    category: str
    has_instances: bool
    ignore_in_eval: bool
    color: Tuple[int, int, int]


# Name, train id, category, colour; ids count the rows from 0.
_ROWS = (
    ("unlabeled", IGNORE, "void", (0, 0, 0)),
    ("ego vehicle", IGNORE, "void", (0, 0, 0)),
    ("rectification border", IGNORE, "void", (0, 0, 0)),
    ("out of roi", IGNORE, "void", (0, 0, 0)),
    ("static", IGNORE, "void", (0, 0, 0)),
    ("dynamic", IGNORE, "void", (111, 74, 0)),
    ("ground", IGNORE, "void", (81, 0, 81)),
    ("road", 0, "flat", (128, 64, 128)),
    ("sidewalk", 1, "flat", (244, 35, 232)),
    ("parking", IGNORE, "flat", (250, 170, 160)),
    ("rail track", IGNORE, "flat", (230, 150, 140)),
    ("building", 2, "construction", (70, 70, 70)),
    ("wall", 3, "construction", (102, 102, 156)),
    ("fence", 4, "construction", (190, 153, 153)),
    ("guard rail", IGNORE, "construction", (180, 165, 180)),
    ("bridge", IGNORE, "construction", (150, 100, 100)),
    ("tunnel", IGNORE, "construction", (150, 120, 90)),
    ("pole", 5, "object", (153, 153, 153)),
    ("polegroup", IGNORE, "object", (153, 153, 153)),
    ("traffic light", 6, "object", (250, 170, 30)),
    ("traffic sign", 7, "object", (220, 220, 0)),
    ("vegetation", 8, "nature", (107, 142, 35)),
    ("terrain", 9, "nature", (152, 251, 152)),
    ("sky", 10, "sky", (70, 130, 180)),
    ("person", 11, "human", (220, 20, 60)),
    ("rider", 12, "human", (255, 0, 0)),
    ("car", 13, "vehicle", (0, 0, 142)),
    ("truck", 14, "vehicle", (0, 0, 70)),
    ("bus", 15, "vehicle", (0, 60, 100)),
    ("caravan", IGNORE, "vehicle", (0, 0, 90)),
    ("trailer", IGNORE, "vehicle", (0, 0, 110)),
    ("train", 16, "vehicle", (0, 80, 100)),
    ("motorcycle", 17, "vehicle", (0, 0, 230)),
    ("bicycle", 18, "vehicle", (119, 11, 32)),
)
_DRAWN = tuple(
    Label(name, i, train_id, category, category in ("human", "vehicle"), train_id == IGNORE, color)
    for i, (name, train_id, category, color) in enumerate(_ROWS)
)
# It is in the data set's polygons only: no pixel of a label file has it.
_PLATE = Label("license plate", -1, -1, "vehicle", False, True, (0, 0, 142))

LABELS = (*_DRAWN, _PLATE)
CLASSES = tuple(sorted((x for x in LABELS if not x.ignore_in_eval), key=lambda x: x.train_id))
CLASS_NAMES = tuple(label.name for label in CLASSES)

_TO_TRAIN_IDS = np.full(256, IGNORE, np.uint8)
_TO_TRAIN_IDS[: len(_DRAWN)] = [label.train_id for label in _DRAWN]
_TO_IDS = np.zeros(256, np.uint8)  # "unlabeled" for what is ignored
_TO_IDS[: len(CLASSES)] = [label.id for label in CLASSES]


def to_train_ids(ids):
    """uint8 `(H, W)` ids of a label file -> uint8 train ids, IGNORE where a pixel has no class.

    Raises InputError for an id that is no label's.
    """
    if ids.max(initial=0) >= len(_DRAWN):
        unknown = ids[ids >= len(_DRAWN)][0]
        raise InputError(f"label id {unknown} is no label's, 0 to {len(_DRAWN) - 1} allowed")
    return cv2.LUT(ids, _TO_TRAIN_IDS)


def to_ids(train_ids):
    """uint8 `(H, W)` train ids -> uint8 ids as label files hold them, 0 for IGNORE.

    Raises InputError for a train id that is no class's.
    """
    unknown = train_ids[(train_ids >= len(CLASSES)) & (train_ids != IGNORE)]
    if unknown.size:
        raise InputError(
            f"train id {unknown[0]} is no class's, 0 to {len(CLASSES) - 1} and {IGNORE} allowed"
        )
    return cv2.LUT(train_ids, _TO_IDS)
