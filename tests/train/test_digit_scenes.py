import cv2
import numpy as np
import pytest

from gluon_glore.utils.errors import InputError
from tests.helpers.places import ROOT
from train.config.cityscapes import SceneData
from train.digit_pairs import load_digits
from train.digit_scenes import (
    CANVAS,
    CLASS_NAMES,
    DARK,
    DIGITS,
    LIGHT,
    NOISE,
    SIDES,
    draw_scene,
    free_place,
    write_digit_scenes,
)

FULL = (np.full((10, 8, 8), 255, np.uint8), np.arange(10))  # squares in place of digits


def scenes(count, data=FULL):
    return [draw_scene(data, np.random.default_rng([0, number])) for number in range(count)]


def test_a_digit_is_a_square_of_one_label_that_differs_from_its_surroundings():
    seen = set()
    for pixels, ids in scenes(60):
        assert pixels.shape == (CANVAS, CANVAS, 3) and ids.shape == (CANVAS, CANVAS)
        assert ids.dtype == pixels.dtype == np.uint8
        count, parts, boxes, _ = cv2.connectedComponentsWithStats((ids > 0).astype(np.uint8))
        assert count - 1 <= DIGITS[1]
        for part in range(1, count):
            labels = np.unique(ids[parts == part])
            if len(labels) > 1:  # neighbours that touch
                continue
            left, top, width, height, area = boxes[part]
            seen.add(int(labels[0]))
            if area == width * height:
                assert min(SIDES) <= width <= 2 * max(SIDES)
                inside = pixels[parts == part].astype(float)
                assert inside.std(axis=0).max() < 3 * NOISE  # one colour
    assert seen == set(range(1, 11))


def test_digits_are_light_and_the_background_is_dark():
    for pixels, ids in scenes(10):
        assert pixels[ids == 0].mean() < DARK[1] and pixels[ids == 0].max() <= DARK[1] + 6 * NOISE
        assert pixels[ids > 0].min() >= LIGHT[0] - 6 * NOISE


def test_a_place_is_free_and_where_there_is_none_it_says_so():
    taken = np.zeros((CANVAS, CANVAS), bool)
    taken[:, CANVAS // 2 :] = True
    rng = np.random.default_rng(0)
    places = [free_place(taken, rng) for _ in range(50)]
    assert any(places) and not any(taken[place].any() for place in places if place)
    assert free_place(np.ones_like(taken), rng) is None


def test_the_set_is_that_of_the_configuration_and_the_same_every_time(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn has the digits")
    write_digit_scenes(tmp_path / "a", train=3, test=2)
    write_digit_scenes(tmp_path / "b", train=3, test=2)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 2 * (3 + 2) + 1
    assert all(
        (tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files
    )
    assert (tmp_path / "a/classes.txt").read_text().splitlines() == list(CLASS_NAMES)
    from gluon_glore.utils.yaml_file import read_yaml

    data = SceneData(**read_yaml(ROOT / "configs/digit_scenes.yaml")["data"])
    assert (tmp_path / "a" / data.pictures.format(split=data.val)).is_dir()
    assert (tmp_path / "a" / data.labels.format(split=data.train)).is_dir()


def test_digits_of_test_scenes_are_in_no_training_scene():
    pytest.importorskip("sklearn", reason="scikit-learn has the digits")
    (train, _), (test, _) = load_digits(0)
    assert not {digit.tobytes() for digit in test} & {digit.tobytes() for digit in train}


def test_a_folder_with_files_in_it_is_refused(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(InputError, match="there are files in it; give a new directory"):
        write_digit_scenes(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
