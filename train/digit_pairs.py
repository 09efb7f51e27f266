"""The embedded data set: are two distant handwritten digits the same?

Two of scikit-learn's scanned digits (UCI, 8x8 pixels) lie at opposite borders of a square canvas;
the label says whether they are the same digit. With three they lie in corners, and the label says
how many are alike. Only a network that relates the regions can tell: the claim of the paper in its
smallest form. Digits are split before pictures are drawn, so that no digit of a test picture was
ever seen in training.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from gluon_glore.data.image import encode_png
from gluon_glore.data.records import write_records
from gluon_glore.utils.arguments import ArgumentParser, not_negative, positive_int, whole
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError, naming
from gluon_glore.utils.extras import require

CANVAS = 64  # pixels; a digit is 3/8 of it, and lies within 1/16 of it of its border
CLASS_NAMES = {2: ("different", "same"), 3: ("all-different", "two-alike", "all-alike")}
SMALLEST = 16
TEST_SHARE = 0.3
SAMPLES = 12  # test pictures written as PNG, to look at and to predict


def load_digits(seed=0):
    """scikit-learn's 1,797 digits as ((pictures, labels) to train, (pictures, labels) to test).

    Pictures are uint8 `(n, 8, 8)`. Each class is split alike. Raises InputError where scikit-learn
    is not installed.
    """
    require("sklearn", "train", "digit data")
    import sklearn.datasets
    import sklearn.model_selection

    digits = sklearn.datasets.load_digits()
    pictures = np.round(digits.images * (255 / 16)).astype(np.uint8)
    train_x, test_x, train_y, test_y = sklearn.model_selection.train_test_split(
        pictures, digits.target, test_size=TEST_SHARE, stratify=digits.target, random_state=seed
    )
    return (train_x, train_y), (test_x, test_y)


def draw_pair(digits, rng, canvas=CANVAS):
    """Two digits, uint8 `(8, 8)`, at opposite borders of a canvas, uint8 `(canvas, canvas)`."""
    side, border = canvas * 3 // 8, canvas // 16
    far = canvas - side
    side_by_side = rng.random() < 0.5
    places = []
    for start in (0, far):
        across = abs(start - rng.integers(border + 1))
        along = rng.integers(far + 1)
        places.append((along, across) if side_by_side else (across, along))
    return draw_at(places, digits, side, canvas)


def draw_triple(digits, rng, canvas=CANVAS):
    """Three digits, uint8 `(8, 8)`, in corners of a canvas, uint8 `(canvas, canvas)`."""
    side, border = canvas * 3 // 8, canvas // 16
    far = canvas - side
    corners = [divmod(corner, 2) for corner in rng.permutation(4)[:3]]
    places = [[abs(far * end - rng.integers(border + 1)) for end in ends] for ends in corners]
    return draw_at(places, digits, side, canvas)


def draw_at(places, digits, side, canvas):
    """Digits, enlarged to `side` pixels, at (top, left) each."""
    picture = np.zeros((canvas, canvas), np.uint8)
    for digit, (top, left) in zip(digits, places):
        scaled = cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC)
        picture[top : top + side, left : left + side] = scaled
    return picture


DRAW = {2: draw_pair, 3: draw_triple}


def draw_classes(alike, digits, of, rng):
    """The classes of `digits` digits `of` so many, `alike` are the same and the others differ."""
    first = rng.integers(of)
    classes = [first] * alike
    while len(classes) < digits:
        other = (first + rng.integers(1, of)) % of
        if other not in classes:
            classes.append(other)
    return classes


def draw_pictures(data, count, seed, digits=2, of=10, canvas=CANVAS):
    """Yield `count` `(picture, label)`, labels in turn, digits evenly drawn from 0 to `of` - 1."""
    pictures, labels = data
    by_class = [np.flatnonzero(labels == c) for c in range(of)]
    rng = np.random.default_rng(seed)
    for i in range(count):
        label = i % digits
        chosen = [rng.choice(by_class[c]) for c in draw_classes(label + 1, digits, of, rng)]
        yield DRAW[digits](pictures[chosen], rng, canvas), label


def write_digits(directory, train=10000, test=2000, seed=0, digits=2, of=10, canvas=CANVAS):
    """Write train.rec, val.rec (with .idx), classes.txt and a few PNG pictures of the test set.

    Raises InputError on a canvas below 16 pixels: a digit would have less than 6.
    """
    if canvas < SMALLEST:
        raise InputError(f"a canvas has at least {SMALLEST} pixels, given {canvas}")
    train_digits, test_digits = load_digits(seed)
    directory = Path(directory)
    (directory / "pictures").mkdir(parents=True, exist_ok=True)
    names = CLASS_NAMES[digits]
    (directory / "classes.txt").write_text("\n".join(names) + "\n")
    for name, data, count, offset in (
        ("val", test_digits, test, 1),
        ("train", train_digits, train, 2),
    ):
        drawn = draw_pictures(data, count, [seed, offset], digits, of, canvas)
        write_records(directory / f"{name}.rec", ((encode_png(p), y) for p, y in drawn))
    samples = draw_pictures(test_digits, SAMPLES, [seed, 1], digits, of, canvas)
    for i, (picture, label) in enumerate(samples):
        path = directory / "pictures" / f"{i:02d}-{names[label]}.png"
        path.write_bytes(encode_png(picture))


def main():
    """`python -m train.digit_pairs DIRECTORY`: write the data set, by default the README's."""
    parser = ArgumentParser(description="Write the digit-pairs data set as RecordIO.")
    parser.add_argument("directory")
    parser.add_argument("--train", type=positive_int, default=10000, help="for training (10000)")
    parser.add_argument("--test", type=positive_int, default=2000, help="to test (2000)")
    parser.add_argument("--seed", type=not_negative, default=0)
    parser.add_argument("--digits", type=whole, choices=DRAW, default=2, help="on a picture (2)")
    parser.add_argument(
        "--of", type=whole, choices=range(3, 11), default=10, help="digits 0, 1, ..."
    )
    parser.add_argument("--canvas", type=positive_int, default=CANVAS, help="pixels (%(default)s)")
    args = parser.parse_args()
    counts, drawn = (args.train, args.test, args.seed), (args.digits, args.of, args.canvas)

    def command():
        with naming(args.directory):
            write_digits(args.directory, *counts, *drawn)
        print(f"{args.directory}: {args.train} pictures to train, {args.test} of unseen digits")

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
