import cv2
import numpy as np

from gluon_glore.data.cityscapes import CLASS_NAMES
from gluon_glore.data.image import Preprocess
from gluon_glore.data.scenes import Scenes
from gluon_glore.inference.segment import Segmenter
from gluon_glore.visualize.label_maps import Palette
from gluon_glore.weights.manifest import Manifest
from tests.helpers.scenes import write_scenes
from train.paper import scene_pictures
from train.paper.scene_pictures import GAP, draw


def sees(number):
    """A segmenter that finds one class everywhere."""

    def network(x):
        logits = np.zeros((len(x), 19, *x.shape[2:]), np.float32)
        logits[:, number] = 1
        return logits

    return Segmenter(network, Manifest("any", CLASS_NAMES, Preprocess((32, 32), resize=0)))


def test_each_row_has_the_scene_its_label_and_what_each_network_sees(tmp_path):
    write_scenes(tmp_path)
    scenes = Scenes(tmp_path, "train")
    picture = draw(scenes, [sees(0), sees(10)], rows=2)
    assert picture.shape == (2 * (30 + GAP), 4 * (40 + GAP), 3)
    palette = Palette(CLASS_NAMES)
    for row, index in enumerate((1, 3)):
        scene, label = scenes[index]
        cells = [scene, palette.overlay(scene, label)]
        cells += [palette.overlay(scene, np.full_like(label, n)) for n in (0, 10)]
        for column, cell in enumerate(cells):
            top, left = row * (30 + GAP), column * (40 + GAP)
            assert np.array_equal(picture[top : top + 30, left : left + 40], cell)
            assert (picture[top : top + 30, left + 40 : left + 40 + GAP] == 255).all()
    assert draw(scenes, [], rows=9).shape[0] == 5 * (30 + GAP)


def test_the_command_draws_some_scenes_of_a_split_as_wide_as_asked(tmp_path, monkeypatch):
    write_scenes(tmp_path)
    monkeypatch.setattr(scene_pictures, "load_segmenter", lambda model: sees(int(model)))
    out = tmp_path / "x.png"
    arguments = ["3", "--data", str(tmp_path), "--out", str(out), "--split", "train"]
    assert scene_pictures.main([*arguments, "--scenes", "2"]) == 0
    assert cv2.imread(str(out)).shape == (2 * (30 + GAP), 3 * (40 + GAP), 3)
    assert scene_pictures.main([*arguments, "--scenes", "1", "--width", "69"]) == 0
    assert cv2.imread(str(out)).shape == (18, 69, 3)


def test_errors_are_one_line_and_nothing_is_written(tmp_path, capsys):
    arguments = ["nowhere", "--data", str(tmp_path), "--out", str(tmp_path / "x.png")]
    assert scene_pictures.main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: ")
    write_scenes(tmp_path, "val")
    assert scene_pictures.main(arguments) == 2
    assert cv2.imread(str(tmp_path / "x.png")) is None
