import json
import os

import cv2
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.cityscapes import CLASS_NAMES, CLASSES, IGNORE, LABELS, to_ids, to_train_ids
from gluon_glore.data.confusion import Confusion
from gluon_glore.data.image import Preprocess
from gluon_glore.inference.segment import Segmenter, Views
from gluon_glore.visualize.label_maps import Palette
from gluon_glore.weights.manifest import Manifest
from tests.helpers.cityscapes_evaluator import EVALUATOR, instances
from train.evaluate_cityscapes import evaluate, main

COLORS = np.float32([label.color for label in CLASSES])
PIXELS = Preprocess(size=(8, 8), resize=0, mean=(0.0, 0.0, 0.0), scale=1.0)


def knows_colors(x):
    """Logits that are highest for the class whose colour a pixel is closest to."""
    distances = [((x - color[:, None, None]) ** 2).sum(axis=1) for color in COLORS]
    return -np.stack(distances, axis=1).astype(np.float32)


def segmenter(network=knows_colors, names=CLASS_NAMES):
    return Segmenter(network, Manifest("m", names, PIXELS), "numpy")


def write_scenes(root, split="val", count=3, size=(16, 24), wrong=0.3, marked=False):
    """Scenes painted in their classes' colours, a share `wrong` of the pixels in another's."""
    rng, palette, scenes = np.random.RandomState(count), Palette(CLASS_NAMES), []
    ids = [label.id for label in LABELS if label.id >= 0 and label.name != "train"]
    for i in range(count):
        label = rng.choice(ids, size).astype("uint8")
        train_ids = to_train_ids(label)
        other = rng.rand(*size) < wrong
        seen = np.where(other | (train_ids == IGNORE), rng.randint(0, 16, size), train_ids)
        files = {
            f"leftImg8bit/{split}/city/city_{i:06d}_000019_leftImg8bit.png": palette.color(seen)
        }
        base = f"gtFine/{split}/city/city_{i:06d}_000019_gtFine"
        files[f"{base}_labelIds.png"] = label
        if marked:
            files[f"{base}_instanceIds.png"] = instances(label)
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), content[..., ::-1] if content.ndim == 3 else content)
        scenes.append((seen.astype("uint8"), train_ids))
    return scenes


@pytest.fixture
def official():
    return pytest.importorskip(EVALUATOR, reason="Cityscapes' evaluator is not installed")


def miou(scenes):
    confusion = Confusion(len(CLASSES))
    for seen, label in scenes:
        confusion.add(seen, label)
    return confusion.miou()


@pytest.mark.parametrize("views", [Views(), Views(window=(10, 10), batch=2), Views(flip=True)])
def test_a_split_is_scored_as_its_pixels_say(official, tmp_path, views):
    scenes = write_scenes(tmp_path, marked=True)
    result = evaluate(segmenter(), tmp_path, "val", views)
    assert abs(result["miou"] - miou(scenes)) < 1e-9 and 0.3 < result["miou"] < 0.9
    assert result["classes"]["train"] == {"iou": None, "iiou": None}
    assert 0 < result["iiou"] < 1
    said = {key: result[key] for key in ("model", "runtime", "split", "pictures", "flip")}
    assert said == {
        "model": "m",
        "runtime": "numpy",
        "split": "val",
        "pictures": 3,
        "flip": views.flip,
    }
    json.dumps(result, allow_nan=False)
    assert sorted(os.listdir(tmp_path)) == ["gtFine", "leftImg8bit"]


def test_predictions_are_kept_as_the_test_server_takes_them(official, tmp_path, capsys):
    scenes = write_scenes(tmp_path)
    folder = tmp_path / "new" / "submission"
    result = evaluate(segmenter(), tmp_path, "val", Views(), folder)
    assert "not every label has its *_instanceIds.png: no iIoU" in capsys.readouterr().err
    names = [f"city_{i:06d}_000019_labelIds.png" for i in range(3)]
    assert sorted(os.listdir(folder)) == names
    for name, (seen, _) in zip(names, scenes):
        ids = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
        assert (ids.dtype, ids.shape) == (np.uint8, (16, 24)) and np.array_equal(ids, to_ids(seen))
    assert abs(result["miou"] - miou(scenes)) < 1e-9

    args = official.CArgs()  # the evaluator finds each by its label's name
    args.predictionPath, args.predictionWalk = str(folder), None
    for i, name in enumerate(names):
        label = f"{tmp_path}/gtFine/val/city/city_{i:06d}_000019_gtFine_labelIds.png"
        assert official.getPrediction(args, label) == str(folder / name)


def test_the_test_split_is_only_to_submit_and_needs_no_labels_and_no_evaluator(tmp_path):
    write_scenes(tmp_path, "test")
    for label in (tmp_path / "gtFine").rglob("*.png"):
        label.unlink()
    with pytest.raises(InputError, match="labels of test are not public: give --submit DIR"):
        evaluate(segmenter(), tmp_path, "test", Views())
    result = evaluate(segmenter(), tmp_path, "test", Views(), tmp_path / "out")
    assert len(os.listdir(tmp_path / "out")) == 3 and "miou" not in result


def test_a_folder_that_holds_something_is_refused_and_an_empty_one_taken(tmp_path):
    write_scenes(tmp_path, "test", count=1)
    out = tmp_path / "out"
    out.mkdir()
    evaluate(segmenter(), tmp_path, "test", Views(), out)
    before = (out / "city_000000_000019_labelIds.png").read_bytes()
    with pytest.raises(InputError, match="out: not an empty folder"):
        evaluate(segmenter(), tmp_path, "test", Views(), out)
    assert (out / "city_000000_000019_labelIds.png").read_bytes() == before


def test_bad_scenes_are_all_named_before_anything_is_predicted(official, tmp_path, capsys):
    write_scenes(tmp_path, count=4)

    def network(x):
        raise AssertionError("predicted in vain")

    pictures = tmp_path / "leftImg8bit" / "val" / "city"
    damaged = pictures / "city_000001_000019_leftImg8bit.png"
    damaged.write_bytes(damaged.read_bytes()[:40])
    labels = tmp_path / "gtFine" / "val" / "city"
    cv2.imwrite(str(labels / "city_000003_000019_gtFine_labelIds.png"), np.zeros((4, 4), np.uint8))
    with pytest.raises(InputError, match="val: 2 of 4 scenes are bad"):
        evaluate(segmenter(network), tmp_path, "val", Views(), tmp_path / "out")
    bad = [line for line in capsys.readouterr().err.splitlines() if line.startswith("bad ")]
    assert len(bad) == 2
    assert str(damaged) in bad[0] and "city_000003_000019_gtFine_labelIds.png" in bad[1]
    assert not (tmp_path / "out").exists()


def test_a_network_that_breaks_down_leaves_no_folder_and_names_the_picture(tmp_path):
    write_scenes(tmp_path, "test")
    calls = []

    def network(x):
        calls.append(1)
        return knows_colors(x) * (np.nan if len(calls) == 2 else 1)

    message = "city_000001_000019_leftImg8bit.png: the network's outputs are not finite"
    with pytest.raises(InputError, match=message):
        evaluate(segmenter(network), tmp_path, "test", Views(), tmp_path / "out")
    assert sorted(os.listdir(tmp_path)) == ["gtFine", "leftImg8bit"]


def test_a_full_disk_is_an_error_and_leaves_no_folder(tmp_path, mount):
    write_scenes(tmp_path, "test", size=(300, 400))
    place = mount("size=64k")
    with pytest.raises(InputError, match="No space left"):
        evaluate(segmenter(), tmp_path, "test", Views(), place / "out")
    assert os.listdir(place) == []


def test_classes_that_are_not_cityscapes_are_refused(tmp_path):
    with pytest.raises(InputError, match="m: its classes are not Cityscapes'"):
        evaluate(segmenter(names=("cat", "dog")), tmp_path, "val", Views())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny_glore_0_1", "--data", "none"], "tiny_glore_0_1 classifies pictures"),
        (["gone", "--data", "none"], "unknown network 'gone'"),
    ],
)
def test_errors_are_one_line_and_exit_2(arguments, message, capsys):
    assert main(arguments) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and message in error
