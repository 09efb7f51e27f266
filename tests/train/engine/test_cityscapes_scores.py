import json
import math
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import ImageFile

from gluon_glore import InputError
from gluon_glore.data.cityscapes import CLASSES, IGNORE, LABELS, to_train_ids
from gluon_glore.data.confusion import Confusion
from tests.helpers.cityscapes_evaluator import EVALUATOR, instances
from tests.helpers.places import ROOT
from train.engine.cityscapes_scores import official_scores, scores_table

ALL = len(CLASSES)


@pytest.fixture
def evaluator():
    return pytest.importorskip(EVALUATOR, reason="Cityscapes' evaluator is not installed")


class Tree:
    """Label files and predictions as Cityscapes lays them out, of random pixels."""

    def __init__(self, root, count=3, size=(20, 30), absent=(), unseen=(), seed=0):
        rng = np.random.RandomState(seed)
        ids = [label.id for label in LABELS if label.id >= 0 and label.train_id not in absent]
        predicted = [c.id for c in CLASSES if c.train_id not in (*absent, *unseen)]
        self.labels, self.predictions, self.pixels = [], [], []
        for i in range(count):
            name = f"city_{i:06d}_000019"
            label = rng.choice(ids, size).astype("uint8")
            seen = np.where(rng.rand(*size) < 0.5, label, rng.choice(predicted, size))
            seen = np.where(np.isin(seen, predicted), seen, predicted[0]).astype("uint8")
            self.pixels.append((seen, label))
            for kind, files, content in (
                ("gtFine/val/city/{}_gtFine_labelIds.png", self.labels, label),
                ("results/{}_labelIds.png", self.predictions, seen),
            ):
                files.append(root / kind.format(name))
                files[-1].parent.mkdir(parents=True, exist_ok=True)
                cv2.imwrite(str(files[-1]), content)

    def confusion(self):
        confusion = Confusion(ALL)
        for seen, label in self.pixels:
            confusion.add(to_train_ids(seen), to_train_ids(label))
        return confusion


@pytest.mark.parametrize(
    ("absent", "unseen"), [((), ()), ((3, 14, 16), ()), ((16,), (0, 5)), (tuple(range(1, 19)), ())]
)
def test_the_official_miou_is_that_of_the_own_matrix(evaluator, tmp_path, absent, unseen):
    tree = Tree(tmp_path, absent=absent, unseen=unseen)
    official, own = official_scores(tree.predictions, tree.labels), tree.confusion()
    assert abs(official["miou"] - own.miou()) < 1e-9
    assert list(official["classes"]) == [label.name for label in CLASSES]
    for label, iou in zip(CLASSES, own.iou()):
        found = official["classes"][label.name]["iou"]
        if label.train_id in absent:
            assert found is None and math.isnan(iou)
        else:
            assert abs(found - iou) < 1e-9


def test_the_official_category_scores_are_those_of_the_merged_matrix(evaluator, tmp_path):
    tree = Tree(tmp_path)
    official, matrix = official_scores(tree.predictions, tree.labels), tree.confusion().matrix
    names = list(dict.fromkeys(label.category for label in CLASSES))
    merge = np.array([[label.category == name for label in CLASSES] for name in names], int)
    merged = Confusion(len(names))
    merged.matrix += merge @ matrix @ merge.T
    assert len(names) == 7 and list(official["categories"]) == names
    found = [official["categories"][name]["iou"] for name in names]
    assert np.allclose(found, merged.iou(), rtol=0, atol=1e-9)
    assert abs(official["category_miou"] - merged.miou()) < 1e-9


def test_instance_scores_weigh_pixels_with_the_average_size_over_the_instances(evaluator, tmp_path):
    tree = Tree(tmp_path)
    without = official_scores(tree.predictions, tree.labels)
    assert (without["iiou"], without["category_iiou"]) == (None, None)
    assert {row["iiou"] for row in without["classes"].values()} == {None}
    assert {row["iiou"] for row in without["categories"].values()} == {None}

    tp = {24: 0.0, 26: 0.0}
    fn = dict(tp)
    sizes = evaluator.args.avgClassSize
    for path, (seen, label) in zip(tree.labels, tree.pixels):
        marked = instances(label)
        cv2.imwrite(str(path).replace("labelIds", "instanceIds"), marked)
        for one in np.unique(marked[marked >= 1000]):
            id, mask = one // 1000, marked == one
            weight = sizes[{24: "person", 26: "car"}[id]] / mask.sum()
            tp[id] += weight * (seen[mask] == id).sum()
            fn[id] += weight * (seen[mask] != id).sum()
    scores = official_scores(tree.predictions, tree.labels)
    expected = {}
    for id, name in ((24, "person"), (26, "car")):
        fp = sum(
            ((seen == id) & (label != id) & (to_train_ids(label) != IGNORE)).sum()
            for seen, label in tree.pixels
        )
        expected[name] = tp[id] / (tp[id] + fn[id] + fp)
        assert abs(scores["classes"][name]["iiou"] - expected[name]) < 1e-9
    # Bicycles have instances, none is marked here; buildings never have.
    assert scores["classes"]["bicycle"]["iiou"] == 0
    assert scores["classes"]["building"]["iiou"] is None
    assert scores["iiou"] == pytest.approx(sum(expected.values()) / 8)
    assert scores["miou"] == without["miou"]
    known = {name for name, row in scores["categories"].items() if row["iiou"] is not None}
    assert known == {"human", "vehicle"}

    os.unlink(str(tree.labels[1]).replace("labelIds", "instanceIds"))
    assert official_scores(tree.predictions, tree.labels) == without


def test_the_evaluators_complaints_are_one_line_errors_and_it_prints_nothing(
    evaluator, tmp_path, capsys, monkeypatch
):
    tree = Tree(tmp_path)
    before = dict(vars(evaluator.args))
    official_scores(tree.predictions, tree.labels)
    with pytest.raises(InputError, match="^List of images .* not of equal size"):
        official_scores(tree.predictions[:2], tree.labels)
    with pytest.raises(InputError, match="no picture to evaluate"):
        official_scores([], [])
    cv2.imwrite(str(tree.predictions[1]), np.zeros((20, 31), np.uint8))
    with pytest.raises(InputError, match="^Image widths of .* are not equal"):
        official_scores(tree.predictions, tree.labels)
    tree.predictions[1].write_bytes(tree.predictions[0].read_bytes()[:100])
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as GluonCV leaves it
    with pytest.raises(InputError, match="^Unable to load .*city_000001_000019"):
        official_scores(tree.predictions, tree.labels)
    cv2.imwrite(str(tree.predictions[1]), np.full((20, 30), 34, np.uint8))
    with pytest.raises(InputError, match="holds an id that is no label's"):
        official_scores(tree.predictions, tree.labels)
    assert capsys.readouterr() == ("", "")
    assert vars(evaluator.args) == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gtFine", "results"]


def test_a_missing_evaluator_is_an_error_that_says_how_to_get_it(tmp_path):
    code = (
        "import sys; sys.modules['cityscapesscripts'] = None\n"
        "from train.engine.cityscapes_scores import *\n"
        "try: official_scores(['a.png'], ['b.png'])\n"
        "except InputError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "pip install --no-deps cityscapesscripts pyquaternion" in done.stdout, done.stderr
    assert len(done.stdout.splitlines()) == 1


def test_a_table_has_every_class_and_category_and_says_what_is_unknown():
    row = {"iou": 0.5, "iiou": None}
    scores = {"miou": 0.123456, "iiou": None, "category_miou": 1.0, "category_iiou": 0.25}
    scores |= {"classes": {"road": row}, "categories": {"flat": row}}
    assert scores_table(scores).splitlines() == [
        "| class | IoU | iIoU |",
        "|---|---|---|",
        "| road | 50.00 | – |",
        "| mean | 12.35 | – |",
        "",
        "| category | IoU | iIoU |",
        "|---|---|---|",
        "| flat | 50.00 | – |",
        "| mean | 100.00 | 25.00 |",
    ]


def test_scores_are_json_without_nan(evaluator, tmp_path):
    tree = Tree(tmp_path, absent=(16,))
    json.dumps(official_scores(tree.predictions, tree.labels), allow_nan=False)
