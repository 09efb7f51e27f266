"""The classes of a picture's pixels as pictures: colors, label ids, colors over the picture."""

import colorsys

import cv2
import numpy as np

from ..data.cityscapes import LABELS
from ..data.image import write_png
from ..utils.errors import naming
from ..utils.files import write_text
from .output_folder import OutputFolder

_OPACITY = 0.5  # of the colors over a picture
_GOLDEN = 0.618034  # hues this part of a circle apart never come close to the last few


class Palette:
    """The color and label id of each class; classes are train ids, uint8 `(H, W)`.

    Classes of Cityscapes have its colors, others colors that depend on their number alone; pixels
    without a class are black. `cityscapes` tells whether all classes are Cityscapes'.
    """

    def __init__(self, class_names):
        labels = {label.name: label for label in LABELS if label.id >= 0}
        self._names = tuple(class_names)
        self.cityscapes = all(name in labels for name in class_names)
        self._colors = np.zeros((256, 3), np.uint8)
        self._ids = np.arange(256, dtype=np.uint8)
        if self.cityscapes:
            self._ids[:] = labels["unlabeled"].id
        for i, name in enumerate(class_names):
            self._colors[i] = labels[name].color if name in labels else _color(i)
            if self.cityscapes:
                self._ids[i] = labels[name].id

    def legend(self):
        """The color of each class, "R G B<TAB>name" a line, in the order of the train ids."""
        colors = (" ".join(map(str, color)) for color in self._colors[: len(self._names)])
        return "".join(f"{color}\t{name}\n" for color, name in zip(colors, self._names))

    def color(self, classes):
        """The classes' colors: `(H, W)` -> RGB uint8 `(H, W, 3)`."""
        return self._colors[classes]

    def label_ids(self, classes):
        """Cityscapes' label ids where all classes are Cityscapes', else the train ids: `(H, W)`."""
        return self._ids[classes]

    def overlay(self, picture, classes):
        """The colors over a picture, uint8 `(H, W, 3)` or grey `(H, W, 1)`: RGB `(H, W, 3)`."""
        if picture.shape[2] == 1:
            picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
        return cv2.addWeighted(picture, 1 - _OPACITY, self.color(classes), _OPACITY, 0)


def _color(number):
    """[red, green, blue] of class `number`; neighbors differ in brightness too."""
    hue = number * _GOLDEN % 1
    rgb = colorsys.hsv_to_rgb(hue, (0.9, 0.6)[number % 2], (1, 0.8, 0.6)[number % 3])
    return [round(255 * part) for part in rgb]


class LabelMapFolder(OutputFolder):
    """Takes three PNG files of each picture: NAME_overlay, NAME_color, NAME_labelIds.

    Where the classes are not Cityscapes', color_legend.txt says which color is which. Raises
    InputError where it can't be written.
    """

    def __init__(self, folder, class_names):
        super().__init__(folder)
        self._palette = Palette(class_names)
        if not self._palette.cityscapes:
            with naming(folder):
                write_text(self.path / "color_legend.txt", self._palette.legend())

    def write(self, name, picture, classes):
        """Write the files of a picture and its classes, each whole or not at all: {kind: path}.

        Raises InputError where they can't be written.
        """
        palette = self._palette
        maps = {
            "overlay": palette.overlay(picture, classes),
            "color": palette.color(classes),
            "labelIds": palette.label_ids(classes),
        }
        paths = {kind: self.path / f"{name}_{kind}.png" for kind in maps}
        for kind, path in paths.items():
            write_png(path, maps[kind])
        return paths
