import sys
import zlib

import numpy as np
import pytest

from gluon_glore.data.image import decode_image
from gluon_glore.data.records import RecordDataset
from tests.helpers.places import ROOT
from train.config.load import load_config
from train.digit_pairs import CLASS_NAMES, draw_pictures, load_digits, main, write_digits

VALUES = np.arange(10, dtype=np.uint8)
# Digits replaced by flat squares of their own value, so that a picture can be read back.
FLAT = np.repeat(20 * (VALUES + 1), 64).reshape(10, 8, 8), VALUES
CANVAS, DIGIT, BORDER = 64, 24, 4


def test_no_test_digit_is_a_training_digit():
    (train_x, _), (test_x, _) = load_digits()
    assert (len(train_x), len(test_x)) == (1257, 540)
    # Two writers may have left the very same 64 pixels; an index can't be in both.
    train = {x.tobytes() for x in train_x}
    assert sum(x.tobytes() in train for x in test_x) == 0


@pytest.mark.parametrize("of", [10, 5])
@pytest.mark.parametrize("digits", [2, 3])
def test_the_label_says_how_many_digits_are_alike_and_classes_are_even(digits, of):
    counts, labels = np.zeros(10, int), np.zeros(digits, int)
    for picture, label in draw_pictures(FLAT, 600, seed=0, digits=digits, of=of):
        shown, pixels = np.unique(picture[picture > 0] // 20 - 1, return_counts=True)
        assert sorted(pixels) == sorted(
            [(label + 1) * DIGIT**2] + [DIGIT**2] * (digits - label - 1)
        )
        counts[shown] += 1
        labels[label] += 1
    assert (labels == 600 // digits).all()
    assert counts[:of].min() > 60 and not counts[of:].any()


def test_two_digits_lie_at_opposite_borders():
    ways = set()
    for canvas, _ in draw_pictures(FLAT, 100, seed=0):
        rows, columns = np.flatnonzero(canvas.any(axis=1)), np.flatnonzero(canvas.any(axis=0))
        gaps = [np.diff(axis).max() - 1 for axis in (rows, columns)]
        far = gaps.index(max(gaps))
        ways.add(far)
        axis = (rows, columns)[far]
        assert axis[0] <= BORDER and axis[-1] >= CANVAS - 1 - BORDER
        assert gaps[far] >= CANVAS - 2 * (DIGIT + BORDER)
    assert ways == {0, 1}


def test_three_digits_lie_in_three_corners_each_left_out_in_turn():
    empty = set()
    for picture, _ in draw_pictures(FLAT, 100, seed=0, digits=3, canvas=32):
        assert picture.shape == (32, 32)
        halves = picture.reshape(2, 16, 2, 16).any(axis=(1, 3))
        assert halves.sum() == 3
        middle = slice(12 + 2, 32 - 12 - 2)
        assert not picture[middle].any() and not picture[:, middle].any()
        empty.add(tuple(np.argwhere(~halves)[0]))
    assert len(empty) == 4


@pytest.mark.parametrize(
    "config, options",
    [
        ("digit_pairs.yaml", {}),
        ("study/pairs.yaml", {"canvas": 32, "of": 5}),
        ("study/triples.yaml", {"canvas": 32, "digits": 3}),
    ],
)
def test_the_written_set_is_what_the_config_says_and_the_same_every_time(config, options, tmp_path):
    config = load_config(ROOT / "configs" / config)
    write_digits(tmp_path / "a", train=192, test=70, **options)
    dataset = RecordDataset(tmp_path / "a/train.rec", config.model.classes)
    pixels = np.stack([decode_image(dataset[i][0], 1) for i in range(len(dataset))])
    assert pixels.shape == (192, *config.data.size, 1)
    assert abs(pixels.mean() - config.data.mean[0]) < 2
    assert abs(pixels.std() * config.data.scale - 1) < 0.1
    names = CLASS_NAMES[config.model.classes]
    assert (tmp_path / "a/classes.txt").read_text().split() == list(names)
    pictures = sorted(path.stem for path in (tmp_path / "a/pictures").glob("*.png"))
    assert pictures == [f"{i:02d}-{names[i % len(names)]}" for i in range(12)]
    write_digits(tmp_path / "b", train=192, test=70, **options)
    assert (tmp_path / "a/train.rec").read_bytes() == (tmp_path / "b/train.rec").read_bytes()


def test_the_embedded_set_stays_what_the_weights_that_come_with_the_package_learned():
    """The first pairs of the README's set, as they were drawn when those were trained."""
    digits = load_digits()[1]
    drawn = [(zlib.crc32(p.tobytes()), label) for p, label in draw_pictures(digits, 3, [0, 1])]
    assert drawn == [(1967140126, 0), (1025815683, 1), (3063749650, 0)]


@pytest.mark.parametrize(
    "options, message",
    [(["--canvas", "15"], "at least 16 pixels, given 15"), ([], "Not a directory")],
)
def test_what_can_not_be_written_is_one_line_and_nothing_else(
    options, message, tmp_path, monkeypatch, capsys
):
    place = tmp_path / "set"
    if not options:
        place.write_text("a file")
    monkeypatch.setattr("sys.argv", ["digit_pairs", str(place), *options])
    assert main() == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert place.exists() == (not options)


def test_without_scikit_learn_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn", None)  # as where its import is blocked
    monkeypatch.setattr("sys.argv", ["digit_pairs", str(tmp_path / "set")])
    assert main() == 2
    message = "error: digit data needs the package sklearn: pip install '.[train]' from a checkout"
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(message)
    assert not (tmp_path / "set").exists()
