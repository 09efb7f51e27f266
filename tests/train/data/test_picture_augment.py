import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from train.config.sections import Augment
from train.data.picture_augment import augment, random_crop, shift_hls

PICTURE = np.random.RandomState(0).randint(0, 256, (60, 80, 3)).astype("uint8")
RNG = np.random.default_rng(0)
PLAIN = Augment(area=(1.0, 1.0), mirror=False, hls=(0, 0, 0))


def test_same_generator_same_view_and_the_size_asked_for():
    first, again, other = (
        augment(PICTURE, (32, 48), Augment(), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (32, 48, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_whole_pictures_are_taken_as_they_are_or_refused():
    rng = np.random.default_rng(0)
    assert np.array_equal(augment(PICTURE, (60, 80), PLAIN, rng), PICTURE)
    with pytest.raises(InputError, match="picture of 60x80 pixels, the network takes 64x64"):
        augment(PICTURE, (64, 64), PLAIN, rng)


def test_mirror_flips_half_of_the_pictures():
    cfg = Augment(area=(1.0, 1.0), mirror=True, hls=(0, 0, 0))
    rng = np.random.default_rng(0)
    views = [augment(PICTURE, (60, 80), cfg, rng) for _ in range(400)]
    flipped = sum(np.array_equal(v, PICTURE[:, ::-1]) for v in views)
    assert flipped + sum(np.array_equal(v, PICTURE) for v in views) == 400
    assert 150 < flipped < 250


def test_crops_keep_the_limits_of_area_and_aspect():
    rng = np.random.default_rng(0)
    areas, aspects = [], []
    for _ in range(500):
        height, width = random_crop(PICTURE, (0.08, 1.0), (0.75, 1.3333), rng).shape[:2]
        areas.append(height * width / 4800)
        aspects.append(width / height)
    assert 0.07 < min(areas) < 0.12 and 0.8 < max(areas) <= 1
    assert 0.7 < min(aspects) < 0.8 and 1.25 < max(aspects) < 1.42


def test_impossible_crops_fall_back_to_the_middle():
    crop = random_crop(np.zeros((10, 100, 3), np.uint8), (0.9, 1.0), (0.75, 1.3333), RNG)
    assert crop.shape[:2] == (10, 13)


def test_colour_shifts_hue_in_a_circle_and_clips_the_rest():
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    green = shift_hls(red, (120, 0, 0))
    assert np.abs(green.astype(int) - [0, 255, 0]).max() <= 6
    assert np.abs(shift_hls(red, (360, 0, 0)).astype(int) - red).max() <= 6
    assert shift_hls(red, (0, 255, 0)).min() == 255
    grey = cv2.cvtColor(shift_hls(red, (0, 0, -255)), cv2.COLOR_RGB2HLS_FULL)
    assert grey[..., 2].max() == 0


def test_bicubic_down_to_half_the_size_and_averages_below():
    whole = Augment(area=(0.99, 1.0), aspect=(1.0, 1.0), mirror=False, hls=(0, 0, 0))
    picture = PICTURE[:, :60]
    for size, interpolation in ((40, cv2.INTER_CUBIC), (20, cv2.INTER_AREA)):
        crop = random_crop(picture, whole.area, whole.aspect, np.random.default_rng(0))
        view = augment(picture, (size, size), whole, np.random.default_rng(0))
        assert np.array_equal(view, cv2.resize(crop, (size, size), interpolation=interpolation))


def test_grey_pictures_keep_their_axis():
    cfg = Augment(area=(1.0, 1.0), mirror=True)
    views = [augment(PICTURE[:, :, :1], (60, 80), cfg, RNG) for _ in range(9)]
    assert {view.shape for view in views} == {(60, 80, 1)}
