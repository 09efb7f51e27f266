import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.image import resize
from train.config.pictures import Augment
from train.data.picture_augment import augment, choose_crop, shift_hls
from train.data.random_part import random_part

PICTURE = np.random.RandomState(0).randint(0, 256, (60, 80, 3)).astype("uint8")
RNG = np.random.default_rng(0)
PLAIN = Augment(area=(1.0, 1.0), mirror=False, hls=(0, 0, 0))


def view(picture, size, cfg, rng):
    return augment(cut(picture, choose_crop(*picture.shape[:2], size, cfg, rng)), size, cfg, rng)


def cut(picture, part):
    top, left, height, width = part
    return picture[top : top + height, left : left + width]


def test_same_generator_same_view_and_the_size_asked_for():
    first, again, other = (
        view(PICTURE, (32, 48), Augment(), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (32, 48, 3)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_view_draws_crop_mirror_and_colour_in_turn_and_nothing_else(channels):
    picture, cfg = PICTURE[..., :channels], Augment()
    for seed in range(9):
        rng, own = np.random.default_rng(seed), np.random.default_rng(seed)
        crop = cut(picture, random_part(60, 80, cfg.area, cfg.aspect, own))
        expected = resize(crop, (32, 48), average_from=2)
        if own.random() < 0.5:
            expected = expected[:, ::-1]
        if channels == 3:
            shift = [own.uniform(-limit, limit) for limit in (20, 40, 50)]
            expected = shift_hls(np.ascontiguousarray(expected), shift)
        assert np.array_equal(view(picture, (32, 48), cfg, rng), expected)
        assert rng.bit_generator.state == own.bit_generator.state


def test_whole_pictures_are_taken_as_they_are_or_refused():
    rng = np.random.default_rng(0)
    assert np.array_equal(view(PICTURE, (60, 80), PLAIN, rng), PICTURE)
    with pytest.raises(InputError, match="picture of 60x80 pixels, the network takes 64x64"):
        view(PICTURE, (64, 64), PLAIN, rng)


def test_mirror_flips_half_of_the_pictures():
    cfg = Augment(area=(1.0, 1.0), mirror=True, hls=(0, 0, 0))
    rng = np.random.default_rng(0)
    views = [view(PICTURE, (60, 80), cfg, rng) for _ in range(400)]
    flipped = sum(np.array_equal(v, PICTURE[:, ::-1]) for v in views)
    assert flipped + sum(np.array_equal(v, PICTURE) for v in views) == 400
    assert 150 < flipped < 250


def test_crops_keep_the_limits_of_area_and_aspect():
    rng = np.random.default_rng(0)
    areas, aspects = [], []
    for _ in range(500):
        height, width = random_part(60, 80, (0.08, 1.0), (0.75, 1.3333), rng)[2:]
        areas.append(height * width / 4800)
        aspects.append(width / height)
    assert 0.07 < min(areas) < 0.12 and 0.8 < max(areas) <= 1
    assert 0.7 < min(aspects) < 0.8 and 1.25 < max(aspects) < 1.42


def test_impossible_crops_fall_back_to_the_middle():
    assert random_part(10, 100, (0.9, 1.0), (0.75, 1.3333), RNG) == (0, 43, 10, 13)


def test_colour_shifts_hue_in_a_circle_and_clips_the_rest():
    red = np.full((2, 2, 3), (255, 0, 0), np.uint8)
    green = shift_hls(red, (120, 0, 0))
    assert np.abs(green.astype(int) - [0, 255, 0]).max() <= 6
    assert np.abs(shift_hls(red, (360, 0, 0)).astype(int) - red).max() <= 6
    assert shift_hls(red, (0, 255, 0)).min() == 255
    grey = cv2.cvtColor(shift_hls(red, (0, 0, -255)), cv2.COLOR_RGB2HLS_FULL)
    assert grey[..., 2].max() == 0


@pytest.mark.parametrize("shift", [(20, 40, 50), (-20, -40, -50), (7, -9, 300), (-7, 9, -300)])
def test_colour_is_the_sum_of_each_part_to_the_bit(shift):
    hls = cv2.cvtColor(PICTURE, cv2.COLOR_RGB2HLS_FULL).astype(int)
    hls += [round(shift[0] * 256 / 360), *shift[1:]]
    hls = np.dstack([hls[..., 0] % 256, np.clip(hls[..., 1:], 0, 255)]).astype(np.uint8)
    expected = cv2.cvtColor(hls, cv2.COLOR_HLS2RGB_FULL)
    assert np.array_equal(shift_hls(PICTURE, shift), expected)


def test_bicubic_down_to_half_the_size_and_averages_below():
    whole = Augment(area=(0.99, 1.0), aspect=(1.0, 1.0), mirror=False, hls=(0, 0, 0))
    picture = PICTURE[:, :60]
    for size, interpolation in ((40, cv2.INTER_CUBIC), (20, cv2.INTER_AREA)):
        rng = np.random.default_rng(0)
        crop = cut(picture, random_part(60, 60, whole.area, whole.aspect, rng))
        seen = view(picture, (size, size), whole, np.random.default_rng(0))
        assert np.array_equal(seen, cv2.resize(crop, (size, size), interpolation=interpolation))


def test_grey_pictures_keep_their_axis():
    cfg = Augment(area=(1.0, 1.0), mirror=True)
    views = [view(PICTURE[:, :, :1], (60, 80), cfg, RNG) for _ in range(9)]
    assert {v.shape for v in views} == {(60, 80, 1)}


def padded(**options):
    return Augment(area=(1.0, 1.0), **{"mirror": False, "hls": (0, 0, 0), **options})


@pytest.mark.parametrize(("mode", "named"), [("reflect", "reflect"), ("zero", "constant")])
@pytest.mark.parametrize("channels", [1, 3])
def test_parts_of_padded_pictures_come_from_everywhere_alike(mode, named, channels):
    picture = PICTURE[:6, :8, :channels]
    whole = np.pad(picture, ((2, 2), (2, 2), (0, 0)), named)
    parts = {whole[y : y + 5, x : x + 7].tobytes(): 0 for y in range(6) for x in range(6)}
    assert len(parts) == 36
    rng = np.random.default_rng(0)
    for _ in range(3600):
        part = view(picture, (5, 7), padded(pad=2, pad_mode=mode), rng)
        assert part.shape == (5, 7, channels)
        parts[part.tobytes()] += 1  # a KeyError were a part of nowhere
    assert min(parts.values()) > 60 and max(parts.values()) < 145


def test_padding_leaves_mirror_and_colour_what_they_are_without():
    flat = np.full((32, 32, 3), (200, 90, 30), np.uint8)  # any part of it is alike
    flat[:, 16:] = (30, 90, 200)
    for seed in range(8):
        plain, moved = (
            view(flat, (32, 32), padded(mirror=True, hls=(20, 40, 50), pad=pad), generator)
            for pad, generator in (
                (0, np.random.default_rng(seed)),
                (4, np.random.default_rng(seed)),
            )
        )
        assert np.array_equal(plain[:, :12], moved[:, :12])
        assert np.array_equal(plain[:, -12:], moved[:, -12:])


def test_pictures_too_small_to_pad_are_refused():
    with pytest.raises(InputError, match="6x8 pixels, with augment.pad 10x12, .* takes 11x11"):
        view(PICTURE[:6, :8], (11, 11), padded(pad=2), RNG)
    with pytest.raises(InputError, match="6x8 pixels, augment.pad 6 reflects those"):
        view(PICTURE[:6, :8], (11, 11), padded(pad=6), RNG)
    assert view(PICTURE[:6, :8], (11, 11), padded(pad=6, pad_mode="zero"), RNG).shape[0] == 11
