"""The embedded scenes: which pixels are of a handwritten digit, and of which?

Some of scikit-learn's scanned digits, each in a size and a light colour of its own, lie on a dark
background whose colour changes slowly and has noise. Every pixel's label is the background's or its
digit's. Digits are split before scenes are drawn: none of a test scene was ever seen in training.
The folders are those that `train.cityscapes` reads: `pictures/{split}`, `labels/{split}`, and
`classes.txt`.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from gluon_glore.data.image import encode_png
from gluon_glore.utils.ahead import ordered_map
from gluon_glore.utils.arguments import ArgumentParser, not_negative, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.cpu import cores
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.files import is_taken, new_folder

from .digit_pairs import load_digits

CANVAS = 96  # pixels
SIDES = (20, 40)  # pixels of a digit, the least and the most
DIGITS = (2, 5)  # of a scene, the least and the most
INK = 96  # of 255: a pixel with as much is the digit's
DARK, LIGHT = (0, 110), (140, 255)  # levels of the background's colours, and of the digits'
NOISE = 6.0  # levels, standard deviation
CLASS_NAMES = ("background", *map(str, range(10)))


def draw_scene(data, rng):
    """A scene of digits: (pixels, uint8 `(CANVAS, CANVAS, 3)`; labels, uint8 `(CANVAS, CANVAS)`).

    `data` are digits, uint8 `(n, 8, 8)`, and what they are. Label 0 is the background, 1 to 10 are
    the digits 0 to 9.
    """
    pictures, labels = data
    corners = rng.uniform(*DARK, (2, 2, 3)).astype(np.float32)
    pixels = cv2.resize(corners, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR)
    ids = np.zeros((CANVAS, CANVAS), np.uint8)
    taken = np.zeros((CANVAS, CANVAS), bool)
    for _ in range(rng.integers(DIGITS[0], DIGITS[1] + 1)):
        place = free_place(taken, rng)
        if place is None:
            continue
        taken[place] = True
        chosen = rng.integers(len(pictures))
        side = place[0].stop - place[0].start
        ink = cv2.resize(pictures[chosen], (side, side), interpolation=cv2.INTER_CUBIC)
        share = ink[..., None] / np.float32(255)
        pixels[place] += share * (rng.uniform(*LIGHT, 3).astype(np.float32) - pixels[place])
        ids[place][ink >= INK] = labels[chosen] + 1
    pixels += rng.normal(0, NOISE, pixels.shape)
    return np.clip(np.round(pixels), 0, 255).astype(np.uint8), ids


def free_place(taken, rng):
    """A square, two slices, where nothing is `taken` yet; None where 20 draws found none."""
    for _ in range(20):
        side = rng.integers(SIDES[0], SIDES[1] + 1)
        top, left = rng.integers(CANVAS - side + 1, size=2)
        place = (slice(top, top + side), slice(left, left + side))
        if not taken[place].any():
            return place
    return None


def write_digit_scenes(directory, train=2000, test=400, seed=0):
    """Write the whole set or none of it.

    Raises InputError where `directory` has files in it, or can't be written.
    """
    if is_taken(directory):
        raise InputError(f"{directory}: there are files in it; give a new directory")
    train_digits, test_digits = load_digits(seed)
    with new_folder(directory) as folder:
        (folder / "classes.txt").write_text("\n".join(CLASS_NAMES) + "\n", encoding="utf-8")
        for split, digits, count, offset in (
            ("val", test_digits, test, 1),
            ("train", train_digits, train, 2),
        ):
            write_split(folder, split, digits, count, [seed, offset])


def write_split(folder, split, digits, count, seed):
    """Write `count` scenes, each drawn by its own number, as many at once as cores."""
    for part in ("pictures", "labels"):
        (folder / part / split).mkdir(parents=True)

    def draw(number):
        pixels, ids = draw_scene(digits, np.random.default_rng([*seed, number]))
        return f"{number:04d}.png", encode_png(pixels), encode_png(ids)

    for name, picture, labels in ordered_map(draw, range(count), cores(), 8 * cores()):
        (folder / "pictures" / split / name).write_bytes(picture)
        (folder / "labels" / split / name).write_bytes(labels)


def main():
    """`python -m train.digit_scenes DIRECTORY`: write the data set."""
    parser = ArgumentParser(description="Write the digit-scenes data set as pictures and labels.")
    parser.add_argument("directory")
    parser.add_argument("--train", type=positive_int, default=2000, help="training scenes (2000)")
    parser.add_argument("--test", type=positive_int, default=400, help="test scenes (400)")
    parser.add_argument("--seed", type=not_negative, default=0)
    args = parser.parse_args()

    def command():
        write_digit_scenes(Path(args.directory), args.train, args.test, args.seed)
        counts = f"{args.train} training scenes, {args.test} scenes of unseen digits"
        print(f"{args.directory}: {counts}")

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
