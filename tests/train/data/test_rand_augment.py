from collections import Counter

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from train.config.pictures import Augment
from train.data import rand_augment as operations
from train.data.picture_augment import augment
from train.data.rand_augment import LEVELS, OPERATIONS, rand_augment

RNG = np.random.RandomState(0)
NOISE = RNG.randint(0, 256, (40, 56, 3)).astype(np.uint8)
Y, X = np.mgrid[:40, :56]
# No two channels alike, and no values at 0 or 255, as photographs are.
SMOOTH = np.dstack([60 + 2 * X, 220 - 3 * Y, 90 + X + Y]).astype(np.uint8)


def ours(name, picture, level):
    operation, largest, signed = OPERATIONS[name]
    amounts = [largest * level / LEVELS, -largest * level / LEVELS][: 1 + signed]
    return [(amount, operation(picture, amount).reshape(picture.shape)) for amount in amounts]


def affine(matrix):
    def transform(picture, amount):
        kind, sampling = Image.Transform.AFFINE, Image.Resampling.BILINEAR
        matrix_of = matrix(amount, *picture.size)
        return picture.transform(picture.size, kind, matrix_of, sampling, fillcolor=grey(picture))

    return transform


def grey(picture):
    return 128 if picture.mode == "L" else (128,) * 3


def enhance(kind):
    return lambda picture, amount: kind(picture).enhance(1 + amount)


PILLOW = {
    "autocontrast": lambda picture, _: ImageOps.autocontrast(picture),
    "rotate": lambda picture, amount: picture.rotate(
        amount, Image.Resampling.BILINEAR, fillcolor=grey(picture)
    ),
    "solarize": lambda picture, amount: ImageOps.solarize(picture, 256 - round(amount)),
    "posterize": lambda picture, amount: ImageOps.posterize(picture, 8 - round(amount)),
    "color": enhance(ImageEnhance.Color),
    "contrast": enhance(ImageEnhance.Contrast),
    "brightness": enhance(ImageEnhance.Brightness),
    "sharpness": enhance(ImageEnhance.Sharpness),
    "shear_x": affine(lambda amount, *_: (1, amount, 0, 0, 1, 0)),
    "shear_y": affine(lambda amount, *_: (1, 0, 0, amount, 1, 0)),
    "translate_x": affine(lambda amount, width, _: (1, 0, round(amount * width), 0, 1, 0)),
    "translate_y": affine(lambda amount, _, height: (1, 0, 0, 0, 1, round(amount * height))),
}
# OpenCV places a pixel to 1/32 on each axis that moves: so much between 0 and 255, and rounding.
PLACED = {"rotate": 9, "shear_x": 5, "shear_y": 5}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("level", [0, 3.7, 10])
@pytest.mark.parametrize("name", PILLOW)
def test_each_operation_is_pillows_to_within_rounding(name, level, channels):
    for whole, placed in ((SMOOTH, 1), (NOISE, PLACED.get(name, 1))):
        picture = np.ascontiguousarray(whole[..., :channels])
        image = Image.fromarray(picture if channels == 3 else picture[..., 0])
        for amount, got in ours(name, picture, level):
            assert got.dtype == np.uint8
            expected = np.asarray(PILLOW[name](image, amount)).reshape(picture.shape)
            gap = np.abs(got.astype(int) - expected)
            if name in PLACED:
                # What comes in is mixed with the pixels beside it by OpenCV, and not by Pillow.
                seen = Image.new("L", image.size, 255)
                inside = np.asarray(PILLOW[name](seen, amount)) == 255
                outside = cv2.dilate(np.uint8(~inside), np.ones((3, 3), np.uint8))
                assert (outside == 0).mean() > 0.4
                assert (
                    got[cv2.erode(np.uint8(~inside), np.ones((3, 3), np.uint8)) > 0] == 128
                ).all()
                gap = gap[2:-2, 2:-2][outside[2:-2, 2:-2] == 0]
            assert gap.max() <= placed and gap.mean() <= 1


def test_equalize_evens_the_histogram_as_pillow_does_of_many_pixels():
    many = np.random.RandomState(0).randint(20, 200, (600, 600, 3)).astype(np.uint8)
    got = operations.equalize(many, 0)
    expected = np.asarray(ImageOps.equalize(Image.fromarray(many)))
    assert np.abs(got.astype(int) - expected).max() <= 2  # a value's own share is 1.4
    for plane, even in zip(cv2.split(many), cv2.split(got)):
        seen = np.cumsum(np.bincount(plane.ravel(), minlength=256))
        first = seen[seen > 0][0]
        table = np.round((seen - first) * 255 / (seen[-1] - first))
        assert np.abs(table[plane] - even).max() == 0


def test_nothing_happens_at_magnitude_0_but_contrast_and_histogram():
    for name, (_, _, signed) in OPERATIONS.items():
        for picture in (NOISE, NOISE[..., :1]):
            if name not in ("autocontrast", "equalize"):
                assert all(np.array_equal(got, picture) for _, got in ours(name, picture, 0))
                if name != "identity" and (name, picture.shape[2]) != ("color", 1):
                    changed = [got for _, got in ours(name, picture, 10)]
                    assert not any(np.array_equal(got, picture) for got in changed)
                    assert len(changed) == 1 + signed


@pytest.mark.parametrize("value", [0, 7, 255])
def test_channels_of_one_value_keep_their_contrast_and_histogram(value):
    flat = np.full((8, 8, 3), value, np.uint8)
    assert np.array_equal(operations.autocontrast(flat, 0), flat)
    assert np.array_equal(operations.equalize(flat, 0), flat)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 7, 1), (2, 2, 3), (32, 32, 1), (32, 32, 3)])
def test_any_shape_is_kept_and_the_picture_itself_untouched(shape):
    picture = np.random.RandomState(1).randint(0, 256, shape).astype(np.uint8)
    before = picture.copy()
    rng = np.random.default_rng(0)
    for _ in range(200):
        got = rand_augment(picture, 3, 10.0, 3.0, rng)
        assert got.shape == shape and got.dtype == np.uint8
    assert np.array_equal(picture, before)


def test_operations_are_drawn_alike_with_magnitudes_around_their_own(monkeypatch):
    seen = []

    def row(name, largest, signed):
        def operation(picture, amount):
            seen.append((name, amount / largest * LEVELS if largest else 0))
            return picture

        return operation, largest, signed

    rows = [row(name, *options) for name, (_, *options) in OPERATIONS.items()]
    monkeypatch.setattr(operations, "_ROWS", rows)
    rng = np.random.default_rng(0)
    for _ in range(7000):
        rand_augment(NOISE, 2, 9.0, 0.5, rng)
    drawn = Counter(name for name, _ in seen)
    assert set(drawn) == set(OPERATIONS) and sum(drawn.values()) == 14000
    assert min(drawn.values()) > 850 and max(drawn.values()) < 1150
    turns = np.array([level for name, level in seen if name == "rotate"])
    assert 0.42 < (turns < 0).mean() < 0.58
    levels = np.array([abs(level) for name, level in seen if OPERATIONS[name][1]])
    assert abs(np.median(levels) - 9) < 0.03 and levels.max() == 10
    assert abs((levels < 8.5).mean() - 0.159) < 0.02  # one deviation below
    bits = [level for name, level in seen if name == "posterize"]
    assert min(bits) > 0


def test_without_deviation_the_magnitude_is_exact_and_views_are_repeated(monkeypatch):
    cfg = Augment(area=(1.0, 1.0), rand_augment=2, magnitude=5.0, magnitude_std=0.0)
    first, again = (
        [augment(NOISE, (40, 56), cfg, np.random.default_rng([0, n])) for n in range(60)]
        for _ in range(2)
    )
    assert all(map(np.array_equal, first, again))
    monkeypatch.setattr(operations, "_ROWS", [OPERATIONS["posterize"]])
    for _ in range(9):  # 5 of 10 are 2 bits of 4
        got = rand_augment(NOISE, 2, 5.0, 0.0, np.random.default_rng())
        assert np.array_equal(got, NOISE // 4 * 4)


def test_mirror_and_colour_stay_what_they_were(monkeypatch):
    monkeypatch.setattr(operations, "_ROWS", [OPERATIONS["identity"]])
    plain, more = Augment(area=(1.0, 1.0)), Augment(area=(1.0, 1.0), rand_augment=2)
    for seed in range(9):
        one, other = (
            augment(NOISE, (40, 56), cfg, np.random.default_rng(seed)) for cfg in (plain, more)
        )
        assert np.array_equal(one, other)
