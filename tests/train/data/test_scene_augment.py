import cv2
import numpy as np
import pytest

from gluon_glore.data.cityscapes import CLASSES, IGNORE
from train.config.cityscapes import SceneAugment
from train.data.scene_augment import MEAN_COLOR, augment_scene, change_colors

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (60, 80, 3), dtype=np.uint8)
LABEL = RNG.integers(0, 19, (60, 80), dtype=np.uint8)


def only(scale=1.0, mirror=False, **options):
    return SceneAugment(scale=(scale, scale), mirror=mirror, **options)


def views(picture, label, size, cfg, count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield augment_scene(picture, label, size, cfg, rng)


def blocks(side=40):
    """A picture whose colours say the class: `side` pixels of each, and its label."""
    label = np.kron(RNG.permutation(20).reshape(4, 5), np.ones((side, side))).astype(np.uint8)
    label[label == 19] = IGNORE
    colors = np.zeros((256, 3), np.uint8)
    colors[:19] = [c.color for c in CLASSES]
    colors[IGNORE] = (255, 255, 255)
    return colors[label], label, colors


def test_same_generator_same_view_and_the_size_asked_for():
    cfg = SceneAugment(jitter=(0.4, 0.4, 0.4))
    first, again, other = (
        augment_scene(PICTURE, LABEL, (48, 32), cfg, np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert first[0].shape == (48, 32, 3) and first[1].shape == (48, 32)
    assert first[0].dtype == first[1].dtype == np.uint8
    assert all(np.array_equal(a, b) for a, b in zip(first, again))
    assert not np.array_equal(first[0], other[0]) and not np.array_equal(first[1], other[1])


def test_the_scene_given_stays_as_it_is():
    picture, label = PICTURE.copy(), LABEL.copy()
    for cfg in (only(), only(mirror=True), SceneAugment(jitter=(0.4, 0.4, 0.4))):
        for view in views(picture, label, (60, 80), cfg, 5):
            for part in view:
                part[:] = 0
    assert np.array_equal(picture, PICTURE) and np.array_equal(label, LABEL)


def test_scale_1_shows_the_very_pixels_and_mirrors_half_of_them():
    assert all(
        np.array_equal(picture, PICTURE) and np.array_equal(label, LABEL)
        for picture, label in views(PICTURE, LABEL, (60, 80), only(), 5)
    )
    mirrored = 0
    for picture, label in views(PICTURE, LABEL, (60, 80), only(mirror=True), 200):
        step = 1 if np.array_equal(picture, PICTURE) else -1
        assert np.array_equal(picture, PICTURE[:, ::step])
        assert np.array_equal(label, LABEL[:, ::step])
        mirrored += step < 0
    assert 75 < mirrored < 125


def test_colours_that_say_the_class_agree_with_the_label_in_every_view():
    picture, label, colors = blocks()
    cfg = SceneAugment(scale=(0.5, 2.0), mirror=True)
    seen = set()
    for view, classes in views(picture, label, (150, 170), cfg, 200):
        # Away from borders, the view's too, all that a pixel is mixed of has its class's colour.
        edge = cv2.morphologyEx(classes, cv2.MORPH_GRADIENT, np.ones((7, 7), np.uint8)) > 0
        padded = (classes == IGNORE) & (view == MEAN_COLOR).all(-1)
        inside = ~edge & ~padded
        inside[[0, -1]] = inside[:, [0, -1]] = False
        assert inside.mean() > 0.1
        assert np.array_equal(view[inside], colors[classes[inside]])
        seen |= set(np.unique(classes[inside]))
    assert seen == {*range(19), IGNORE}


@pytest.mark.parametrize("mirror", [False, True])
def test_a_pixels_label_is_that_of_the_nearest_point_of_the_picture(mirror):
    """A ramp whose grey tells the place to an eighth of a pixel, labelled with the place."""
    place = np.tile(np.arange(30, dtype=np.uint8), (30, 1))
    ramp = np.stack([place * 8, place.T * 8, place], -1)
    for axis, label in enumerate((place, place.T.copy())):
        for view, seen in views(ramp, label, (40, 40), SceneAugment((0.5, 2.0), mirror), 200):
            inside = seen != IGNORE
            apart = view[..., axis][inside] / 8 - seen[inside]
            # The first and last half pixel repeat the border; 1/8 for rounding and cv2's 1/32.
            assert np.abs(apart).max() <= 0.5 + 0.125


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.6, 0.75, 1.3, 2.0])
def test_a_whole_view_is_what_resizing_gives(scale):
    size = (round(60 * scale), round(80 * scale))
    view, label = augment_scene(PICTURE, LABEL, size, only(scale), np.random.default_rng(0))
    expected = PICTURE
    if scale < 0.5:
        block = int(1 / scale)
        expected = cv2.resize(PICTURE, (80 // block, 60 // block), interpolation=cv2.INTER_AREA)
    expected = cv2.resize(expected, size[::-1], interpolation=cv2.INTER_LINEAR)
    assert np.abs(view.astype(int) - expected).max() <= 8  # cv2 places pixels to 1/32
    near = [np.abs((np.arange(n) + 0.5) / n * m - 0.5) for n, m in zip(size, LABEL.shape)]
    low, high = (
        LABEL[np.ix_(*(f(a + d).clip(0, m - 1).astype(int) for a, m in zip(near, LABEL.shape)))]
        for f, d in ((np.ceil, -0.501), (np.floor, 0.501))
    )
    assert ((label == low) | (label == high)).mean() > 0.99


def test_fine_detail_fades_and_does_not_alias_where_a_scene_shrinks():
    stripes = np.zeros((240, 240, 3), np.uint8)
    stripes[:, ::2] = 255
    for scale in (0.2, 0.25, 0.34, 0.5):
        size = (round(240 * scale),) * 2
        view, _ = augment_scene(stripes, stripes[..., 0], size, only(scale), RNG)
        assert np.abs(view.astype(int) - 127.5).max() < 45, scale


def test_views_begin_at_every_place_there_is():
    label = np.arange(15, dtype=np.uint8).reshape(3, 5)
    picture = np.stack([label] * 3, -1)
    corners = [view[0, 0] for _, view in views(picture, label, (2, 3), only(), 600)]
    values, counts = np.unique(corners, return_counts=True)
    assert list(values) == [0, 1, 2, 5, 6, 7]
    assert counts.min() > 60


def test_a_scene_smaller_than_the_view_lies_anywhere_in_colour_and_label_to_ignore():
    picture, label = np.zeros((2, 3, 3), np.uint8), np.full((2, 3), 7, np.uint8)
    places = set()
    cfg = only(2.0, jitter=(0.4, 0.4, 0.4))
    for view, classes in views(picture, label, (5, 8), cfg, 200):
        rows, columns = np.nonzero(classes == 7)
        assert len(rows) == 24 and np.ptp(rows) == 3 and np.ptp(columns) == 5
        assert (classes[classes != 7] == IGNORE).all()
        assert (view[classes == 7] == 0).all()  # not mixed with the fill at the border
        assert (view[classes == IGNORE] == MEAN_COLOR).all()
        places.add((rows[0], columns[0]))
    assert places == {(y, x) for y in (0, 1) for x in (0, 1, 2)}
    view, _ = augment_scene(picture, label, (9, 9), only(), RNG, fill=(1, 2, 3))
    assert (view[(view != 0).any(-1)] == (1, 2, 3)).all()


def test_a_wide_scene_is_padded_above_and_cropped_aside():
    view, classes = augment_scene(PICTURE, LABEL, (70, 40), only(), np.random.default_rng(3))
    rows = np.flatnonzero((classes != IGNORE).any(1))
    assert len(rows) == 60 and (classes[rows] != IGNORE).all()
    at = next(x for x in range(41) if np.array_equal(LABEL[:, x : x + 40], classes[rows]))
    assert np.array_equal(view[rows], PICTURE[:, at : at + 40])


def test_scales_are_drawn_evenly_between_the_limits():
    label = np.zeros((100, 100), np.uint8)
    picture = np.zeros((100, 100, 3), np.uint8)
    sides = np.array(
        [
            np.sqrt((classes == 0).sum()) / 100
            for _, classes in views(picture, label, (200, 200), SceneAugment(), 400)
        ]
    )
    assert 0.5 <= sides.min() < 0.52 and 1.98 < sides.max() <= 2
    assert abs(sides.mean() - 1.25) < 0.07 and abs(np.median(sides) - 1.25) < 0.1


def test_colours_change_on_the_picture_alone():
    plain = augment_scene(PICTURE, LABEL, (40, 40), only(), np.random.default_rng(0))
    cfg = only(jitter=(0.4, 0.4, 0.4))
    bright = augment_scene(PICTURE, LABEL, (40, 40), cfg, np.random.default_rng(0))
    assert np.array_equal(bright[1], plain[1])
    assert not np.array_equal(bright[0], plain[0])


def test_brightness_contrast_and_saturation_do_what_their_names_say():
    picture = np.array([[[200, 100, 50], [40, 80, 120]]], np.uint8)
    grey = picture @ [0.299, 0.587, 0.114]

    def near(changed, expected):
        return (
            np.abs(changed - np.clip(expected, 0, 255)).max() < 0.6
        )  # rounded, and cv2's sums have ten bits

    assert np.array_equal(change_colors(picture, 1, 1, 1), picture)
    assert near(change_colors(picture, 1.4, 1, 1), picture * 1.4)
    assert near(change_colors(picture, 1, 1.4, 1), (picture - grey.mean()) * 1.4 + grey.mean())
    assert near(change_colors(picture, 1, 0, 1), grey.mean())
    assert near(change_colors(picture, 1, 1, 0), grey[..., None])
    assert near(change_colors(picture, 1, 1, 1.3), grey[..., None] * -0.3 + picture * 1.3)
    step = (picture * 0.7 - grey.mean() * 0.7) * 1.2 + grey.mean() * 0.7
    luma = (step @ [0.299, 0.587, 0.114])[..., None]
    assert near(change_colors(picture, 0.7, 1.2, 0.8), luma * 0.2 + step * 0.8)
