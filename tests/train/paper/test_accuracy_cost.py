import json

import cv2
import numpy as np
import pytest
import yaml

from gluon_glore import get_model
from gluon_glore.networks.complexity import count_network
from gluon_glore.plan.complexity import totals
from tests.helpers.metrics import evaluation, rows, scene_rows, write_run
from tests.helpers.places import ROOT
from train.paper import accuracy_cost
from train.paper.accuracy_cost import draw, main, measured, of_run, published

PAPER = yaml.safe_load((ROOT / "docs/paper.yaml").read_text())
PRINTED = {name: row["scores"] for name, row in PAPER["tables"]["Table 2"]["rows"].items()}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """(panels, texts) of the picture."""
    return draw(published(), measured(), tmp_path_factory.mktemp("drawn") / "figure.png")


def test_table_2_lies_where_it_is_counted_and_printed(drawn):
    (panel, _), _ = drawn
    names = [path.stem for path in (ROOT / "configs" / "imagenet").glob("*.yaml")]
    assert sorted(point.network for point in panel.points) == sorted(names)
    for point, marks in zip(panel.points, panel.axes.collections):
        parameters, macs = totals(count_network(get_model(point.network), (224, 224)))
        ((x, y),) = marks.get_offsets()
        assert x == pytest.approx(macs / 1e9)
        assert marks.get_sizes()[0] == pytest.approx(panel.area * parameters)
        assert [y] == PRINTED[point.network]
        hollow = (marks.get_facecolor()[0] == 1).all()
        assert hollow == ("glore" not in point.network)


def test_lines_go_from_the_plain_networks_to_their_twins(drawn):
    (panel, _), _ = drawn
    lines = {(a.network, b.network) for a, b in panel.lines()}
    twins = {point.network for point in panel.points if "glore" in point.network}
    assert lines == {(name.split("_glore")[0], name) for name in twins}
    ends = {tuple(map(tuple, line.get_xydata())) for line in panel.axes.lines}
    assert ends == {(panel.place(a), panel.place(b)) for a, b in panel.lines()}


def test_ours_are_the_rows_of_the_studies(drawn):
    (_, panel), _ = drawn
    read = {
        title: json.loads(path.read_text())["rows"] for title, path in accuracy_cost.OWN.items()
    }
    rows = [("CIFAR-10", row) for row in read["CIFAR-10"]]
    for title, names in (
        ("digit pairs", ("plain", "wide", "nonlocal_1", "glore_1")),
        ("moving digits", ("plain", "nonlocal", "glore")),
    ):
        rows += [(title, read[title][name]) for name in names]
    expected = [
        (title, row["model"], row["macs"], row["mean"], row["deviation"]) for title, row in rows
    ]
    assert [(p.group, p.network, p.macs, p.accuracy, p.deviation) for p in panel.points] == expected
    assert {title for title, *_ in expected} == set(accuracy_cost.OWN)


def test_labels_lie_on_no_mark_legend_or_other_label(drawn):
    for panel, texts in zip(*drawn):
        assert [text.get_text() for text in texts] == [point.label for point in panel.points]
        labels = [text.get_window_extent() for text in texts]
        others = [panel.box(point).padded(-2) for point in panel.points]
        others.append(panel.axes.get_legend().get_window_extent())
        for number, label in enumerate(labels):
            assert not label.padded(-1).count_overlaps(labels[:number] + others)
            inside = panel.axes.get_window_extent()
            assert inside.contains(label.x0, label.y0) and inside.contains(label.x1, label.y1)


def imagenet(folder, **more):
    """A run of 1000 classes at 224x224."""
    write_run(folder, [evaluation(0, 0.765)], model="resnet50_glore_0_1")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["model"]["classes"], config["data"]["size"] = 1000, [224, 224]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_runs_are_stars_left_on_imagenet_and_right_on_other_data(tmp_path, monkeypatch):
    panels = []
    monkeypatch.setattr(
        accuracy_cost, "draw", lambda left, right, path: panels.append([left, right])
    )
    runs = [str(imagenet(tmp_path / "r50")), str(write_run(tmp_path / "pairs", rows()))]
    assert main(["--out", "figure.png", *runs]) == 0
    ((left, right),) = panels
    stars = [[point for point in points if point.run] for points in (left, right)]
    (on_imagenet,), (on_pairs,) = stars
    assert (on_imagenet.label, on_imagenet.accuracy) == ("r50", 76.5)
    assert on_imagenet.macs == totals(count_network(get_model("resnet50_glore_0_1")))[1]
    assert (on_pairs.label, on_pairs.accuracy) == ("pairs", 50.0)  # the last, not the best
    assert on_pairs.style("black")["marker"] == "*"


def test_a_run_costs_what_its_own_pixels_cost(tmp_path):
    run = write_run(tmp_path / "large", rows())
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["data"]["size"] = [128, 128]
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    point, classes = of_run(run)
    assert classes == 2
    assert point.macs == totals(count_network(get_model("tiny"), (128, 128)))[1]


def test_a_run_with_units_of_its_configuration_has_them_in_cost_and_mark(tmp_path):
    run = write_run(tmp_path / "placed", rows())
    plain, _ = of_run(run)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["model"]["units"] = {"kind": "glore", "res4": [1], "mid_channels": 64}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    point, _ = of_run(run)
    assert (plain.units, point.units) == (None, "glore")
    assert point.macs == totals(count_network(get_model("tiny_glore_0_1")))[1] > plain.macs


def test_a_run_of_videos_costs_all_its_frames(tmp_path):
    run = write_run(tmp_path / "video", rows(), model="tiny_3d")
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "clip": {"frames": 16}}))
    assert of_run(run)[0].macs == totals(count_network(get_model("tiny_3d"), (16, 64, 64)))[1]


def test_the_picture_is_written_and_a_run_changes_it(tmp_path):
    run = str(write_run(tmp_path / "run", rows()))
    assert main(["--out", str(tmp_path / "a.png")]) == 0
    assert main(["--out", str(tmp_path / "b.png"), run]) == 0
    a, b = (cv2.imread(str(tmp_path / name)) for name in ("a.png", "b.png"))
    committed = cv2.imread(str(ROOT / "docs" / "accuracy_cost.png"))
    assert a.shape == b.shape == committed.shape
    changed = np.abs(a.astype(int) - b).any(axis=(0, 2))
    assert changed[len(changed) * 2 // 3 :].any()  # the panel of our own


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda run: None, "no such directory"),
        (lambda run: write_run(run, scene_rows()), "measures mean IoU, only runs"),
        (lambda run: write_run(run, [r for r in rows() if r["kind"] == "train"]), "not evaluated"),
        (lambda run: write_run(run, rows(), model="gone"), "config.yaml: unknown network 'gone'"),
    ],
)
def test_a_run_that_can_not_be_drawn_is_one_error_and_no_picture(tmp_path, make, message, capsys):
    make(tmp_path / "run")
    assert main(["--out", str(tmp_path / "figure.png"), str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path / 'run'}") and message in line
    assert not (tmp_path / "figure.png").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file or directory"),
        ('{"rows": [', "no rows of a study"),
        ('{"rows": [{"name": "plain", "model": "tiny"}]}', "no rows of a study"),
        ('{"rows": {"plain": {"name": "plain", "model": "tiny"}}}', "no rows of a study"),
    ],
)
def test_a_study_that_can_not_be_read_is_named(tmp_path, monkeypatch, text, message, capsys):
    study = tmp_path / "pairs.json"
    if text:
        study.write_text(text)
    monkeypatch.setitem(accuracy_cost.OWN, "digit pairs", study)
    assert main(["--out", str(tmp_path / "figure.png")]) == 2
    assert capsys.readouterr().err == f"error: {study}: {message}\n"


def test_a_picture_that_can_not_be_written_is_one_error(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["--out", str(tmp_path / "file" / "figure.png")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
