"""Windows of scenes and clips of videos calibrate networks of pixels and of videos."""

import shutil

import numpy as np
import pytest
import yaml

from gluon_glore import InputError
from gluon_glore.data.cityscapes import CLASS_NAMES, IGNORE
from gluon_glore.data.clips import Clip
from gluon_glore.data.image import Preprocess
from gluon_glore.data.scenes import Scenes
from gluon_glore.data.videos import Videos
from gluon_glore.export import calibration
from gluon_glore.export.calibration import read_calibration
from gluon_glore.weights.deployment import Deployment
from gluon_glore.weights.manifest import Manifest
from tests.helpers.scene_folders import like_voc
from tests.helpers.scenes import png
from tests.helpers.street_scenes import SIZE, write_scenes
from train.moving_digits import CLASS_NAMES as WAYS
from train.moving_digits import write_moving_digits

COLOUR = Preprocess(size=(32, 40), resize=0, mean=(124.0, 117.0, 104.0), scale=0.0167)
CLIP = Clip(8, 2)


def of_pixels(size=COLOUR.size, pictures=False, names=CLASS_NAMES):
    """The manifest of a network of pixels that takes windows of a size."""
    shape, layout = ((None, *size, 3), "NHWC") if pictures else ((None, 3, *size), "NCHW")
    deployment = Deployment(shape, layout, "uint8" if pictures else "float32")
    preprocess = COLOUR.resized(size)
    return Manifest("fcn_small_glore_1_cityscapes", names, preprocess, deployment=deployment)


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    root = tmp_path_factory.mktemp("streets")
    write_scenes(root, "train", 17)
    write_scenes(root, "val", 16, seed=1)
    return root


def places_of(window, picture):
    """The corners at which a prepared window is found in a picture."""
    part = COLOUR.normalize(picture)
    _, height, width = window.shape
    likely = np.argwhere((part == window[:, :1, :1]).all(axis=0))
    return [
        (top, left)
        for top, left in likely
        if np.array_equal(part[:, top : top + height, left : left + width], window)
    ]


def test_windows_of_the_training_split_calibrate_and_those_of_the_other_are_held_out(streets):
    given = read_calibration(streets, of_pixels())
    assert given.kind == "windows"
    assert given.used.shape == (17, 3, 32, 40) and given.used.dtype == np.float32
    assert given.held_out.shape == (16, 3, 32, 40) and given.labels.shape == (16, 32, 40)
    corners = set()
    for split, windows in (("train", given.used), ("val", given.held_out)):
        scenes = Scenes(streets, split)
        pictures = [scenes[i] for i in range(len(scenes))]
        found = []
        for number, window in enumerate(windows):
            ((scene, corner),) = (
                (i, place)
                for i, (picture, _) in enumerate(pictures)
                for place in places_of(window, picture)
            )
            found.append(scene)
            corners.add(corner)
            if split == "val":
                top, left = corner
                label = pictures[scene][1][top : top + 32, left : left + 40]
                assert np.array_equal(given.labels[number], label)
        assert sorted(found) == list(range(len(scenes)))  # each once
    assert len(corners) > 10  # all over the scenes


def test_a_graph_that_takes_pictures_gets_the_same_windows(streets):
    prepared, pictures = (read_calibration(streets, of_pixels(pictures=p)) for p in (False, True))
    assert pictures.used.dtype == np.uint8 and pictures.used.shape == (17, 32, 40, 3)
    assert np.array_equal(COLOUR.normalize(pictures.used[5]), prepared.used[5])


def test_what_lies_outside_of_a_small_scene_has_no_label(streets):
    given = read_calibration(streets, of_pixels((64, 80)))
    assert (given.labels[:, SIZE[0] :] == IGNORE).all()
    assert (given.labels[:, :, SIZE[1] :] == IGNORE).all()
    assert (given.labels[:, : SIZE[0], : SIZE[1]] != IGNORE).mean() > 0.9
    assert np.abs(given.held_out[:, :, SIZE[0] :]).max() < 0.01  # the mean colour


def test_scenes_that_are_not_split_are_halved(streets, tmp_path):
    keys = like_voc(streets, tmp_path / "voc")
    stated = tmp_path / "set.yaml"
    stated.write_text(yaml.safe_dump({"data": {**keys, "train": keys["val"]}}))
    with pytest.raises(InputError, match="at least 32 scenes are needed, given 16"):
        read_calibration(stated, of_pixels())
    names = (tmp_path / "voc" / keys["train"]).read_text()
    with (tmp_path / "voc" / keys["val"]).open("a") as file:
        file.write(names)
    given = read_calibration(stated, of_pixels())
    assert (len(given.used), len(given.held_out)) == (16, 17)
    assert len({x.tobytes() for x in (*given.used, *given.held_out)}) == 33


def test_too_few_and_other_classes_are_refused(tmp_path):
    write_scenes(tmp_path, "val", 16)
    with pytest.raises(InputError, match="leftImg8bit/train: no such folder"):
        read_calibration(tmp_path, of_pixels())
    write_scenes(tmp_path, "train", 15, seed=1)
    with pytest.raises(InputError, match="at least 16 scenes of each split .* given 15 and 16"):
        read_calibration(tmp_path, of_pixels())
    others = ("rail", *CLASS_NAMES[1:])
    with pytest.raises(InputError, match="its class 0 is 'rail', that of the set is 'road'"):
        read_calibration(tmp_path, of_pixels(names=others))


def test_scenes_without_a_label_are_refused(streets, tmp_path):
    unlabelled = shutil.copytree(streets, tmp_path / "streets")
    for path in (unlabelled / "gtFine/val").rglob("*_labelIds.png"):
        path.write_bytes(png(np.zeros(SIZE, np.uint8)))
    with pytest.raises(InputError, match="streets: no labelled pixel in 16 windows"):
        read_calibration(unlabelled, of_pixels())


def test_memory_bounds_how_many_windows_there_are(streets, monkeypatch):
    """And how many of them are tried: a network of pixels gives a lot for each."""
    monkeypatch.setattr(calibration, "LEAST", 2)
    monkeypatch.setattr(calibration, "MOST_BYTES", 5 * 3 * 32 * 40 * 4)
    monkeypatch.setattr(calibration, "MOST_OUTPUTS", 3 * 19 * 32 * 40)
    given = read_calibration(streets, of_pixels())
    assert (len(given.used), len(given.held_out), len(given.labels)) == (5, 5, 5)
    assert np.array_equal(given.tried, given.used[:3])


def test_the_middle_clips_of_videos_calibrate(tmp_path):
    pytest.importorskip("av", reason="PyAV is not installed")
    write_moving_digits(tmp_path / "digits", train=2, test=34)
    preprocess = Preprocess(size=(64, 64), resize=0, mean=(10.0,), scale=0.024)
    deployment = Deployment((None, 1, 8, 64, 64), "NCDHW")
    manifest = Manifest("tiny_3d_glore_0_1", WAYS, preprocess, deployment=deployment, clip=CLIP)
    given = read_calibration(tmp_path / "digits/val", manifest)
    assert given.kind == "clips" and given.used.shape == (17, 1, 8, 64, 64)
    videos = Videos(tmp_path / "digits/val", WAYS)
    labels = {}
    for i in range(len(videos)):
        with videos.open(i) as video:
            frames = video.read(range(4, 19, 2), 1)  # of 24
            part = np.stack([frame[..., 0] for frame in frames])
        labels[((part[None] - np.float32(10)) * np.float32(0.024)).tobytes()] = videos.label(i)
    seen = [x.tobytes() for x in (*given.used, *given.held_out)]
    assert set(seen) == set(labels) and len(seen) == 34
    assert [labels[x.tobytes()] for x in given.held_out] == list(given.labels)
