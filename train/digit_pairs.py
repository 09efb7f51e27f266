"""The embedded data set: are two distant handwritten digits the same?

Two of scikit-learn's scanned digits (UCI, 8x8 pixels) lie at opposite borders of a 64x64 canvas;
the label says whether they are the same digit. Only a network that relates the two regions can
tell: the claim of the paper in its smallest form. Digits are split before pairs are drawn, so
that no digit of a test pair was ever seen in training.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from gluon_glore.errors import positive_int
from gluon_glore.paint import encode_png

from .records import write_records

CANVAS = 64  # pixels
DIGIT = 24
BORDER = 4  # a digit lies within so many pixels of its border
CLASS_NAMES = ("different", "same")
TEST_SHARE = 0.3
SAMPLES = 12  # test pictures written as PNG, to look at and to predict


def load_digits(seed=0):
    """scikit-learn's 1,797 digits as ((pictures, labels) to train, (pictures, labels) to test).

    Pictures are uint8 `(n, 8, 8)`. Each class is split alike.
    """
    import sklearn.datasets
    import sklearn.model_selection

    digits = sklearn.datasets.load_digits()
    pictures = np.round(digits.images * (255 / 16)).astype(np.uint8)
    train_x, test_x, train_y, test_y = sklearn.model_selection.train_test_split(
        pictures, digits.target, test_size=TEST_SHARE, stratify=digits.target, random_state=seed
    )
    return (train_x, train_y), (test_x, test_y)


def draw_pair(first, second, rng):
    """Two digits, uint8 `(8, 8)`, at opposite borders of a canvas, uint8 `(64, 64)`."""
    canvas = np.zeros((CANVAS, CANVAS), np.uint8)
    side_by_side = rng.random() < 0.5
    far = CANVAS - DIGIT
    for digit, start in ((first, 0), (second, far)):
        across = abs(start - rng.integers(BORDER + 1))
        along = rng.integers(far + 1)
        top, left = (along, across) if side_by_side else (across, along)
        scaled = cv2.resize(digit, (DIGIT, DIGIT), interpolation=cv2.INTER_CUBIC)
        canvas[top : top + DIGIT, left : left + DIGIT] = scaled
    return canvas


def draw_pairs(digits, count, seed):
    """Yield `count` `(canvas, label)`, the labels in turn, the classes evenly drawn."""
    pictures, labels = digits
    by_class = [np.flatnonzero(labels == c) for c in range(10)]
    rng = np.random.default_rng(seed)
    for i in range(count):
        same = i % 2
        a = rng.integers(10)
        b = a if same else (a + rng.integers(1, 10)) % 10
        first, second = rng.choice(by_class[a]), rng.choice(by_class[b])
        yield draw_pair(pictures[first], pictures[second], rng), same


def write_digit_pairs(directory, train=10000, test=2000, seed=0):
    """Write train.rec, val.rec (with .idx), classes.txt and a few PNG pictures of test pairs."""
    directory = Path(directory)
    (directory / "pictures").mkdir(parents=True, exist_ok=True)
    (directory / "classes.txt").write_text("\n".join(CLASS_NAMES) + "\n")
    train_digits, test_digits = load_digits(seed)
    for name, digits, count, offset in (
        ("val", test_digits, test, 1),
        ("train", train_digits, train, 2),
    ):
        pairs = draw_pairs(digits, count, [seed, offset])
        write_records(directory / f"{name}.rec", ((encode_png(c), y) for c, y in pairs))
    for i, (canvas, same) in enumerate(draw_pairs(test_digits, SAMPLES, [seed, 1])):
        path = directory / "pictures" / f"{i:02d}-{CLASS_NAMES[same]}.png"
        path.write_bytes(encode_png(canvas))


def main():
    """`python -m train.digit_pairs DIRECTORY`: write the data set, by default the README's."""
    parser = argparse.ArgumentParser(description="Write the digit-pairs data set as RecordIO.")
    parser.add_argument("directory")
    parser.add_argument("--train", type=positive_int, default=10000, help="training pairs (10000)")
    parser.add_argument("--test", type=positive_int, default=2000, help="test pairs (2000)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    write_digit_pairs(args.directory, args.train, args.test, args.seed)
    print(f"{args.directory}: {args.train} training pairs, {args.test} pairs of unseen digits")


if __name__ == "__main__":
    main()
