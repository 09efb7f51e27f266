import json

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.cityscapes import IGNORE
from gluon_glore.data.image import Preprocess, encode_png
from gluon_glore.data.scene_classes import SceneClasses
from gluon_glore.data.scene_files import Pattern
from gluon_glore.data.scenes import Layout, Scenes
from gluon_glore.inference.segment import Segmenter, Views
from gluon_glore.weights.manifest import Manifest
from tests.helpers.scene_folders import palette_png
from train.evaluate_segmentation import evaluate, main

NAMES = ("wall", "sky", "boat")
COLOURS = np.uint8([[0, 0, 200], [200, 0, 0], [0, 200, 0]])
LAYOUT = Layout(Pattern("P/{split}"), Pattern("L/{split}"), SceneClasses(NAMES, (5, 1, 9), (0,)))


def knows_colours(x):
    distances = [((x - colour[:, None, None]) ** 2).sum(axis=1) for colour in COLOURS]
    return -np.stack(distances, axis=1).astype(np.float32)


def segmenter(network=knows_colours, names=NAMES):
    pixels = Preprocess(size=(8, 8), resize=0, mean=(0.0, 0.0, 0.0), scale=1.0)
    return Segmenter(network, Manifest("m", names, pixels), "numpy")


def write(root, count=2, labelled=True):
    """Pictures in their classes' colours, some pixels in another's: `[(seen, train ids)]`."""
    rng, scenes = np.random.default_rng(0), []
    for i in range(count):
        label = rng.choice(np.uint8([0, 1, 5]), (16, 24)) * np.uint8(labelled)
        train_ids = np.select([label == 5, label == 1], [0, 1], IGNORE)
        other = (rng.random(label.shape) < 0.3) | (train_ids == IGNORE)
        seen = np.where(other, rng.integers(0, 2, label.shape), train_ids)
        for kind, data in (("P", encode_png(COLOURS[seen])), ("L", palette_png(label))):
            (root / kind / "val").mkdir(parents=True, exist_ok=True)
            (root / kind / "val" / f"{i}.png").write_bytes(data)
        scenes.append((seen, train_ids))
    return Scenes(root, "val", layout=LAYOUT), scenes


@pytest.mark.parametrize("views", [Views(), Views(window=(10, 10)), Views(flip=True)])
def test_a_set_is_scored_as_its_pixels_say(tmp_path, views):
    scenes, pixels = write(tmp_path)
    result = evaluate(segmenter(), scenes, views)
    seen, label = (np.concatenate([pair[i].ravel() for pair in pixels]) for i in (0, 1))
    seen, label = seen[label != IGNORE], label[label != IGNORE]
    iou = [((seen == i) & (label == i)).sum() / ((seen == i) | (label == i)).sum() for i in (0, 1)]
    assert result["classes"] == {"wall": iou[0], "sky": iou[1], "boat": None}
    assert result["miou"] == np.mean(iou) and 0.4 < result["miou"] < 0.9
    assert result["accuracy"] == (seen == label).mean()
    said = {key: result[key] for key in ("pictures", "scales", "flip", "window")}
    window = list(views.window) if views.window else None
    assert said == {"pictures": 2, "scales": [1.0], "flip": views.flip, "window": window}
    json.dumps(result, allow_nan=False)


def test_scenes_are_seen_in_the_views_that_are_asked_for(tmp_path):
    scenes, _ = write(tmp_path)
    whole, half = (evaluate(segmenter(), scenes, Views(scales=(x,))) for x in (1.0, 0.5))
    assert half["scales"] == [0.5] and half["miou"] != whole["miou"]


def test_classes_that_are_not_the_sets_are_refused(tmp_path):
    scenes, _ = write(tmp_path)
    with pytest.raises(InputError, match="m: it tells 2 classes apart, the set 3"):
        evaluate(segmenter(names=NAMES[:2]), scenes, Views())
    with pytest.raises(InputError, match="m: its class 1 is 'boat', that of the set is 'sky'"):
        evaluate(segmenter(names=("wall", "boat", "sky")), scenes, Views())


def test_bad_scenes_and_unlabelled_ones_have_no_score(tmp_path, capsys):
    def network(x):
        raise AssertionError("predicted in vain")

    scenes, _ = write(tmp_path)
    scenes.labels[1].write_bytes(palette_png(np.full((16, 24), 7, np.uint8)))
    with pytest.raises(InputError, match="P/val: 1 of 2 scenes are bad"):
        evaluate(segmenter(network), scenes, Views())
    assert f"bad {scenes.labels[1]}: id 7: neither a class" in capsys.readouterr().err
    scenes, _ = write(tmp_path, labelled=False)
    with pytest.raises(InputError, match="P/val: no labelled pixel in it"):
        evaluate(segmenter(), scenes, Views())


def test_a_picture_that_can_not_be_predicted_is_named(tmp_path):
    scenes, _ = write(tmp_path)
    with pytest.raises(InputError, match=r"P/val/0\.png: the network's outputs are not finite"):
        evaluate(segmenter(lambda x: knows_colours(x) * np.nan), scenes, Views())


def test_the_split_and_the_set_are_those_that_are_asked_for(tmp_path, capsys):
    write(tmp_path)
    (tmp_path / "classes.txt").write_text("5\twall\n1\tsky\n9\tboat\n")
    (tmp_path / "set.yaml").write_text(
        "data:\n  pictures: P/{split}\n  labels: L/{split}\n  train: a\n  ignore: [0]\n"
    )
    keys = {"root": tmp_path, "classes": tmp_path / "classes.txt"}
    options = ["--config", str(tmp_path / "set.yaml")]
    options += [word for k, v in keys.items() for word in ("--set", f"data.{k}={v}")]
    assert main(["gone", *options]) == 2  # the set of `val` is there
    assert "unknown network 'gone'" in capsys.readouterr().err
    assert main(["gone", *options, "--split", "train"]) == 2
    assert f"{tmp_path}/P/a: no such folder" in capsys.readouterr().err
    assert main(["gone", *options, "--set", "data.val=b"]) == 2
    assert f"{tmp_path}/P/b: no such folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fcn_small_cityscapes"], "no run's directory, so it states no set: give --config FILE"),
        (["gone", "--config", "gone.yaml"], "config gone.yaml: No such file"),
    ],
)
def test_errors_are_one_line_and_exit_2(arguments, message, capsys):
    assert main(arguments) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and message in error
