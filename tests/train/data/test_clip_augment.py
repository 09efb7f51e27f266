import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from train.config.kinetics import ClipAugment
from train.data.clip_augment import augment_clip
from train.data.picture_augment import shift_hls

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 256, (3, 60, 80, 3), dtype=np.uint8)
PLAIN = {"scale": (60, 60), "aspect": (1, 1), "mirror": False, "hls": (0, 0, 0), "noise": 0}


def only(**options):
    return ClipAugment(**{**PLAIN, **options})


def views(frames, size, cfg, count):
    rng = np.random.default_rng(0)
    return [augment_clip(frames, size, cfg, rng) for _ in range(count)]


def places(count=1, height=240, width=320):
    """Frames whose red and green tell a pixel's place: y and x, 0 to 250."""
    y, x = np.mgrid[0:height, 0:width]
    ramp = np.stack([y * 250 / (height - 1), x * 250 / (width - 1), 0 * y], -1)
    return np.stack([np.rint(ramp).astype(np.uint8)] * count)


def test_same_generator_same_view_and_the_size_asked_for():
    cfg = ClipAugment(scale=(50, 70))
    first, again, other = (
        augment_clip(FRAMES, (48, 32), cfg, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert first.shape == (3, 48, 32, 3) and first.dtype == np.uint8
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_frames_given_stay_as_they_are():
    frames = FRAMES.copy()
    for cfg in (only(), only(mirror=True), ClipAugment()):
        for view in views(frames, (60, 80), cfg, 5):
            view[:] = 0
    assert np.array_equal(frames, FRAMES)


def test_a_small_canvas_of_one_channel_passes_bit_by_bit():
    frames = RNG.integers(0, 256, (5, 64, 64, 1), dtype=np.uint8)
    cfg = ClipAugment(scale=(64, 64), aspect=(1, 1), mirror=False, hls=(30, 35, 25), noise=0)
    for view in views(frames, (64, 64), cfg, 5):
        assert np.array_equal(view, frames)
    mirrored = views(frames, (64, 64), only(scale=(64, 64), mirror=True), 200)
    kinds = [np.array_equal(view, frames) for view in mirrored]
    assert 75 < sum(kinds) < 125
    assert all(
        np.array_equal(view, frames[:, :, ::-1]) for view, same in zip(mirrored, kinds) if not same
    )


def test_a_crop_at_scale_1_is_the_very_pixels_of_all_frames_and_begins_everywhere():
    frames = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(2, 3, 5, 1)
    corners = []
    for view in views(frames, (2, 3), only(scale=(3, 3)), 600):
        top, left = divmod(int(view[0, 0, 0, 0]), 5)
        assert np.array_equal(view, frames[:, top : top + 2, left : left + 3])
        corners.append((top, left))
    counts = [corners.count(place) for place in {(y, x) for y in (0, 1) for x in (0, 1, 2)}]
    assert sum(counts) == 600 and min(counts) > 60


def seen(view):
    """(height, width) of the frame that a view of `places()` shows, in pixels of 240 x 320."""
    spread = np.ptp(view[0, ..., :2].reshape(-1, 2).astype(float), axis=0)
    return (spread + 250 / np.array([240, 320])) / 250 * [240, 320]


def test_the_short_side_is_drawn_evenly_between_the_limits_and_crop_shows_its_part():
    sides = []
    for view in views(places(), (112, 112), only(scale=(112, 170)), 400):
        height, width = seen(view)
        assert abs(height - width) < 5
        sides.append(112 / height * 240)
    assert 110 < min(sides) < 114 and 166 < max(sides) < 173
    assert abs(np.mean(sides) - 141) < 3


def test_aspect_widens_and_narrows_as_the_released_trainer_does():
    """Width times and height by r, r the mean of two draws and turned over in half of the clips."""
    ratios = []
    for view in views(places(), (100, 100), only(scale=(160, 160), aspect=(0.8, 1.25)), 600):
        height, width = seen(view)
        ratios.append(np.log(height / width))
    rng = np.random.default_rng(1)
    means = np.log(rng.uniform(0.8, 1.25, (10000, 2)).mean(1))
    expected = 2 * np.concatenate([means, -means])
    assert np.abs(ratios).max() < 2 * np.log(1.25) + 0.05
    assert abs(np.std(ratios) - np.std(expected)) < 0.02
    assert abs(np.mean(ratios)) < 0.04
    square = [seen(view) for view in views(places(), (100, 100), only(scale=(160, 160)), 20)]
    assert np.abs(np.diff(square)).max() < 5


def test_a_view_is_what_scaling_the_whole_frame_and_cropping_shows():
    frames = cv2.GaussianBlur(FRAMES.reshape(-1, 80, 3), (5, 5), 0).reshape(FRAMES.shape)
    for view in views(frames, (90, 120), only(scale=(90, 90)), 3):
        for frame, part in zip(frames, view):
            expected = cv2.resize(frame, (120, 90), interpolation=cv2.INTER_LINEAR)
            assert np.array_equal(part, expected)


def test_fine_detail_fades_and_does_not_alias_where_frames_shrink_much():
    stripes = np.zeros((1, 300, 300, 3), np.uint8)
    stripes[:, :, ::2] = 255
    (view,) = views(stripes, (100, 100), only(scale=(100, 100)), 1)
    assert np.abs(view.astype(int) - 127.5).max() < 50


@pytest.mark.parametrize("shape", [(20, 300), (300, 20), (1, 1), (7, 7)])
def test_frames_narrower_than_the_view_are_enlarged_until_they_hold_it(shape):
    frames = RNG.integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    for view in views(frames, (64, 96), ClipAugment(scale=(64, 70)), 20):
        assert view.shape == (2, 64, 96, 3)


def test_colours_shift_alike_in_all_frames():
    frames = np.stack([FRAMES[0]] * 4)
    shifted = views(frames, (60, 80), only(hls=(30, 35, 25)), 30)
    for view in shifted:
        assert (view == view[0]).all()
    assert len({view.tobytes() for view in shifted}) == 30
    rng = np.random.default_rng(0)
    view = augment_clip(frames, (60, 80), only(hls=(30, 0, 0)), rng)
    candidates = [shift_hls(frames[0], (hue, 0, 0)) for hue in range(-30, 31)]
    assert any(np.array_equal(view[0], picture) for picture in candidates)


def test_noise_is_each_pixels_own_within_bounds_of_the_clip():
    grey = np.full((4, 60, 80, 3), 128, np.uint8)
    lows, highs = [], []
    for view in views(grey, (60, 80), only(noise=20), 200):
        noise = view.astype(int) - 128
        lows.append(noise.min())
        highs.append(noise.max())
        # Even between its bounds, which are rounded, and no frame, row or channel like another.
        assert abs(noise.mean() - (lows[-1] + highs[-1]) / 2) < 0.6
        if highs[-1] - lows[-1] > 2:
            for one, other in ((noise[0], noise[1]), (noise[:, 0], noise[:, 1])):
                assert not np.array_equal(one, other)
            assert not np.array_equal(noise[..., 0], noise[..., 1])
            parts = noise.reshape(4, -1).astype(float)
            assert abs(np.corrcoef(parts)[0, 1]) < 0.06
    assert -20 <= min(lows) <= -19 and max(lows) >= -1
    assert 19 <= max(highs) <= 20 and min(highs) <= 1


def test_noise_stops_at_black_and_white():
    for value in (0, 255):
        view = augment_clip(np.full((1, 40, 40, 3), value, np.uint8), (40, 40), only(noise=50), RNG)
        assert np.abs(view.astype(int) - value).max() <= 50
        assert (view == value).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": (340, 224)}, "augment.scale must rise"),
        ({"aspect": (0.0, 1.25)}, "augment.aspect must be above 0"),
        ({"noise": -1.0}, "augment.noise must not be below 0"),
        ({"hls": (30, -1, 0)}, "augment.hls must not be below 0"),
    ],
)
def test_values_without_sense_are_refused(options, message):
    ClipAugment().check()
    with pytest.raises(InputError, match=message):
        ClipAugment(**options).check()


def test_a_scale_below_the_crop_is_refused():
    ClipAugment().check_size((224, 224))
    with pytest.raises(InputError, match="augment.scale begins at data.size or above, 256"):
        ClipAugment().check_size((256, 320))
