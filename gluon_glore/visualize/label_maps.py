"""The classes of a picture's pixels as pictures: colours, label ids, colours over the picture."""

import colorsys

import cv2
import numpy as np

from ..data.cityscapes import LABELS
from ..data.image import write_png
from .output_folder import NamedFolder

_STRENGTH = 0.5  # of the colours over a picture
_GOLDEN = 0.618034  # of a circle: hues in such steps never come close to the last ones


class Palette:
    """What the classes of a network look like, uint8 train ids `(H, W)` in all that follows.

    Cityscapes' classes have its colours, others colours that depend on their number alone; what is
    no class is black. `cityscapes` says whether all are Cityscapes'.
    """

    def __init__(self, class_names):
        labels = {label.name: label for label in LABELS if label.id >= 0}
        self.cityscapes = all(name in labels for name in class_names)
        self._colors = np.zeros((256, 3), np.uint8)
        self._ids = np.arange(256, dtype=np.uint8)
        if self.cityscapes:
            self._ids[:] = labels["unlabeled"].id
        for i, name in enumerate(class_names):
            self._colors[i] = labels[name].color if name in labels else _color(i)
            if self.cityscapes:
                self._ids[i] = labels[name].id

    def color(self, classes):
        """The colours, RGB uint8 `(H, W, 3)`."""
        return self._colors[classes]

    def label_ids(self, classes):
        """uint8 `(H, W)` label ids, where the classes are Cityscapes', else their numbers."""
        return self._ids[classes]

    def overlay(self, picture, classes):
        """The colours over a picture, uint8 `(H, W, 3)` or grey `(H, W, 1)`: RGB `(H, W, 3)`."""
        if picture.shape[2] == 1:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
        return cv2.addWeighted(picture, 1 - _STRENGTH, self.color(classes), _STRENGTH, 0)


def _color(number):
    hue = number * _GOLDEN % 1
    rgb = colorsys.hsv_to_rgb(hue, (0.9, 0.6)[number % 2], (1, 0.8, 0.6)[number % 3])
    return [round(255 * part) for part in rgb]


class PaintedFolder(NamedFolder):
    """Takes three PNG files of each picture: NAME_overlay, NAME_color, NAME_labelIds."""

    def __init__(self, folder, class_names):
        super().__init__(folder)
        self._palette = Palette(class_names)

    def write(self, name, picture, classes):
        """Write the files of a picture and its classes, each whole or not at all: {kind: path}.

        Raises InputError where they can't be written.
        """
        palette = self._palette
        painted = {
            "overlay": palette.overlay(picture, classes),
            "color": palette.color(classes),
            "labelIds": palette.label_ids(classes),
        }
        paths = {kind: self.path / f"{name}_{kind}.png" for kind in painted}
        for kind, path in paths.items():
            write_png(path, painted[kind])
        return paths
