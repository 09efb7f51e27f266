import numpy as np
from conftest import ROOT

from gluon_glore.image import decode_image
from train.config import load_config
from train.digit_pairs import BORDER, CANVAS, DIGIT, draw_pairs, load_digits
from train.records import RecordDataset


def test_no_test_digit_is_a_training_digit():
    (train_x, _), (test_x, _) = load_digits()
    assert (len(train_x), len(test_x)) == (1257, 540)
    # Two writers may have left the very same 64 pixels; an index can't be in both.
    train = {x.tobytes() for x in train_x}
    assert sum(x.tobytes() in train for x in test_x) == 0


def test_the_label_says_whether_the_digits_are_the_same_and_classes_are_even():
    """Digits replaced by flat squares of their own value, so that a canvas can be read back."""
    values = np.arange(10, dtype=np.uint8)
    flat = np.repeat(20 * (values + 1), 64).reshape(10, 8, 8)
    counts = np.zeros(10, int)
    labels = []
    for canvas, label in draw_pairs((flat, values), 600, seed=0):
        digits = sorted(set(canvas[canvas > 0] // 20 - 1))
        assert len(digits) == (1 if label else 2)
        assert (canvas > 0).sum() == 2 * DIGIT * DIGIT
        counts[digits] += 1
        labels.append(label)
    assert sum(labels) == 300
    assert counts.min() > 60


def test_the_digits_lie_at_opposite_borders():
    flat = np.full((10, 8, 8), 255, np.uint8)
    ways = set()
    for canvas, _ in draw_pairs((flat, np.arange(10)), 100, seed=0):
        rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
        gaps = [np.diff(axis).max() - 1 for axis in (rows, columns)]
        far = gaps.index(max(gaps))
        ways.add(far)
        axis = (rows, columns)[far]
        assert axis[0] <= BORDER and axis[-1] >= CANVAS - 1 - BORDER
        assert gaps[far] >= CANVAS - 2 * (DIGIT + BORDER)
    assert ways == {0, 1}


def test_the_written_set_is_what_the_config_says_and_the_same_every_time(digit_pairs, tmp_path):
    from train.digit_pairs import write_digit_pairs

    dataset = RecordDataset(digit_pairs / "train.rec", 2)
    pixels = np.stack([decode_image(dataset[i][0], 1) for i in range(len(dataset))])
    assert pixels.shape == (192, 64, 64, 1)
    config = load_config(ROOT / "configs/digit_pairs.yaml")
    assert abs(pixels.mean() - config.data.mean[0]) < 2
    assert abs(pixels.std() * config.data.scale - 1) < 0.1
    assert (digit_pairs / "classes.txt").read_text() == "different\nsame\n"
    assert len(list((digit_pairs / "pictures").glob("*.png"))) == 12
    write_digit_pairs(tmp_path, train=192, test=70)
    assert (tmp_path / "train.rec").read_bytes() == (digit_pairs / "train.rec").read_bytes()
