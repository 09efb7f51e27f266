"""Scenes with their labels and the classes that networks predict, side by side, for a README.

    python -m train.paper.scene_pictures MODEL... --data ROOT --out FILE.png [--split val] \
        [--scenes 4] [--width 960]

A row a scene, spread over the split: the picture, its label over it, and each MODEL's classes, a
run or what else `predict` takes.
"""

import sys

import cv2
import numpy as np

from gluon_glore.data.cityscapes import CLASS_NAMES
from gluon_glore.data.image import resize, write_png
from gluon_glore.data.scenes import Scenes
from gluon_glore.inference.segment import load_segmenter
from gluon_glore.utils.arguments import ArgumentParser, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.visualize.label_maps import Palette

GAP = 6  # white pixels between pictures


def main(argv=None):
    """Draw as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    parser = ArgumentParser(
        prog="python -m train.paper.scene_pictures", description=__doc__.splitlines()[0]
    )
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a run, a checkpoint, an export")
    parser.add_argument("--data", required=True, metavar="ROOT", help="Cityscapes' folders")
    parser.add_argument("--out", required=True, metavar="FILE.png")
    parser.add_argument("--split", default="val", choices=("train", "val"))
    parser.add_argument("--scenes", type=positive_int, default=4, help="rows (4)")
    parser.add_argument("--width", type=positive_int, help="pixels of it all (as it comes)")
    args = parser.parse_args(argv)

    def command():
        scenes = Scenes(args.data, args.split)
        segmenters = [load_segmenter(model) for model in args.models]
        picture = draw(scenes, segmenters, args.scenes)
        width = args.width or picture.shape[1]
        size = round(picture.shape[0] * width / picture.shape[1]), width
        write_png(args.out, resize(picture, size))

    return exit_code(command)


def draw(scenes, segmenters, rows=4):
    """The picture, uint8 RGB: a column for the scene, its label and each `Segmenter`.

    Columns are as wide as the first scene. Raises BadRecord where a scene can't be used.
    """
    truth, lines, width = Palette(CLASS_NAMES), [], None
    places = (np.arange(min(rows, len(scenes))) + 0.5) / min(rows, len(scenes)) * len(scenes)
    for index in places.astype(int):
        picture, label = scenes[int(index)]
        cells = [picture, truth.overlay(picture, label)]
        for segmenter in segmenters:
            palette = Palette(segmenter.manifest.class_names)
            cells.append(palette.overlay(picture, segmenter.classes(picture)))
        line = np.hstack([np.pad(cell, _gap(1), constant_values=255) for cell in cells])
        width = width or line.shape[1]
        height = round(line.shape[0] * width / line.shape[1])
        lines.append(cv2.resize(line, (width, height), interpolation=cv2.INTER_AREA))
    return np.vstack([np.pad(line, _gap(0), constant_values=255) for line in lines])


def _gap(axis):
    """np.pad's widths for white after a picture along an axis."""
    return [(0, GAP * (i == axis)) for i in range(3)]


if __name__ == "__main__":
    sys.exit(main())
