import numpy as np

from train.config.pictures import Augment
from train.data.picture_augment import augment
from train.data.random_erasing import erase

AREA = (0.02, 0.33)


def holes(picture, count, seed=0):
    """(top, left, height, width) of what was erased of a picture of one value, 2 is none of it."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        rows, columns = np.nonzero((erase(picture, AREA, rng) != 0).any(axis=2))
        yield rows.min(), columns.min(), np.ptp(rows) + 1, np.ptp(columns) + 1


def test_share_and_place_of_the_part_are_uniform_within_their_limits():
    parts = np.array(list(holes(np.zeros((64, 64, 3), np.uint8), 1000)))
    shares = parts[:, 2] * parts[:, 3] / 64**2
    assert 0.017 < shares.min() < 0.03 and 0.3 < shares.max() < 0.34
    assert abs(shares.mean() - 0.175) < 0.01
    aspects = parts[:, 3] / parts[:, 2]
    assert aspects.min() < 0.36 and aspects.max() > 2.8
    assert aspects.min() > 0.27 and aspects.max() < 3.7  # sides are whole pixels
    for axis in (0, 1):
        room = 64 - parts[:, 2 + axis]
        place = parts[:, axis][room > 20] / room[room > 20]
        assert abs(place.mean() - 0.5) < 0.04
        counts, _ = np.histogram(place, 5, (0, 1.001))
        assert counts.min() > len(place) / 5 * 0.75


def test_the_part_is_noise_of_all_values_and_the_rest_is_the_picture():
    picture = np.full((64, 64, 1), 7, np.uint8)
    rng = np.random.default_rng(1)
    values = np.zeros(256)
    for _ in range(100):
        erased = erase(picture, AREA, rng)
        values += np.bincount(erased.ravel(), minlength=256)
    others = np.delete(values, 7)
    assert others.min() > 0.75 * others.mean() and others.max() < 1.25 * others.mean()
    assert np.array_equal(picture, np.full((64, 64, 1), 7))


def test_a_picture_too_narrow_for_the_part_stays():
    narrow = np.zeros((1, 400, 3), np.uint8)
    rng = np.random.default_rng(0)
    assert all(erase(narrow, (0.3, 0.33), rng) is narrow for _ in range(9))


def test_the_share_of_pictures_is_that_of_the_config_and_views_are_repeated():
    cfg = Augment(area=(1.0, 1.0), mirror=False, hls=(0, 0, 0), erase=0.25)
    picture = np.zeros((32, 32, 3), np.uint8)

    def views(seed):
        rng = np.random.default_rng(seed)
        return [augment(picture, (32, 32), cfg, rng) for _ in range(800)]

    first = views(0)
    assert 150 < sum(view.any() for view in first) < 250
    assert all(map(np.array_equal, first, views(0)))
