import json
import math

import pytest

from gluon_glore import InputError
from tests.helpers.metrics import evaluation, rows, scene_rows, step, write_run
from train.reporting.metrics import SEGMENTATION
from train.reporting.runs import (
    read_config,
    read_metrics,
    read_run,
    rewind_metrics,
    write_config,
)


def test_a_run_of_segmentation_is_known_by_its_rows(tmp_path):
    run = read_run(write_run(tmp_path, scene_rows()))
    assert run.metrics == SEGMENTATION
    figures = run.figures()
    assert (figures["miou"], figures["best_miou"], figures["best_epoch"]) == (0.375, 0.375, 2)
    assert (figures["accuracy"], figures["best_accuracy"]) == (0.75, 0.75)
    assert "top1" not in figures
    assert [row["accuracy"] for row in run.training_by_epoch()] == [0.5, 1.0]
    early = read_run(write_run(tmp_path, scene_rows()[:1]))
    assert early.metrics == SEGMENTATION and early.figures()["miou"] is None


def test_rows_of_another_task_are_damage(tmp_path):
    path = write_run(tmp_path, [*scene_rows(), *rows()])
    with pytest.raises(InputError, match=r"metrics\.jsonl line 6: damaged"):
        read_metrics(path / "metrics.jsonl")


def test_figures_are_the_last_the_best_and_means_over_time(tmp_path):
    figures = read_run(write_run(tmp_path, rows())).figures()
    assert figures == {
        "top1": 0.5,
        "top5": 0.95,
        "best_top1": 0.75,
        "best_top5": 0.9,
        "best_epoch": 1,
        "images_per_second": pytest.approx((3 * 100 + 2 * 50) / 5),
        "waiting": pytest.approx((3 * 0.1 + 2 * 0.5) / 5),
        "seconds": 9.0,
    }


def test_training_rows_are_averaged_by_epoch(tmp_path):
    first, second = read_run(write_run(tmp_path, rows())).training_by_epoch()
    assert (first["epoch"], first["lr"]) == (0, pytest.approx(0.2))
    assert (second["epoch"], second["lr"]) == (1, 0.3)


def test_what_is_not_known_yet_is_none(tmp_path):
    figures = read_run(write_run(tmp_path, [step(0, lr=0.1)])).figures()
    assert figures.pop("seconds") == 0
    assert set(figures.values()) == {None}


def test_steps_and_epochs_done_again_count_once_as_done_last(tmp_path):
    again = [step(1, lr=0.9), evaluation(0, 0.25)]
    steps, evaluations = read_metrics(write_run(tmp_path, rows() + again) / "metrics.jsonl")
    assert [(row["step"], row["lr"]) for row in steps] == [(0, 0.1), (1, 0.9), (2, 0.3)]
    assert [row["top1"] for row in evaluations] == [0.25, 0.5]


def test_a_last_line_cut_short_by_a_kill_is_left_out(tmp_path):
    path = write_run(tmp_path, rows()) / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    steps, evaluations = read_metrics(path)
    assert (len(steps), len(evaluations)) == (3, 1)


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "7", "[" * 100_000, "1" * 5001, '{"kind": "other"}', '{"kind": "eval"}', "\xff"],
    ids=range(8),
)
def test_a_damaged_line_is_named(tmp_path, line):
    path = write_run(tmp_path, rows()) / "metrics.jsonl"
    path.write_text(f"{path.read_text()}{line}\n", encoding="latin-1")
    with pytest.raises(InputError, match=r"metrics\.jsonl line 6: damaged"):
        read_metrics(path)


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(InputError, match="none: no such directory"):
        read_run(tmp_path / "none")
    with pytest.raises(InputError, match=r"no run in it, config\.yaml: No such file"):
        read_run(tmp_path)
    folder = write_run(tmp_path / "run", [])
    with pytest.raises(InputError, match=r"metrics\.jsonl: no whole line"):
        read_run(folder)
    (folder / "metrics.jsonl").unlink()
    with pytest.raises(InputError, match=r"metrics\.jsonl: No such file"):
        read_run(folder)
    folder = write_run(tmp_path / "classifier", rows())
    (folder / "config.yaml").write_text("model: {name: tiny}\ndata: {size: [64, 64]}")
    with pytest.raises(InputError, match=r"config\.yaml: damaged"):
        read_run(folder)  # only networks that label pixels have their classes by name
    for text in ("model: [", "- 1", "", "model: {name: tiny}"):
        (folder / "config.yaml").write_text(text)
        with pytest.raises(InputError, match=r"config\.yaml: damaged"):
            read_run(folder)


def write_metrics(path, tail=""):
    rows = [{"kind": "start"}]
    for epoch in range(2):
        rows += [{"kind": "train", "epoch": epoch, "step": 3 * epoch + i} for i in range(3)]
        rows += [{"kind": "eval", "epoch": epoch}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + tail)
    return rows


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ((0, 0), 1),  # what belongs to the whole run stays
        ((0, 2), 3),
        ((0, 3), 4),  # all steps of the epoch, not yet its evaluation
        ((1, 3), 5),
        ((1, 4), 6),
        ((1, math.inf), 8),  # a finished run evaluates again
        ((2, 6), 9),
    ],
)
@pytest.mark.parametrize("tail", ["", '{"kind": "train", "epoch": 0, "st', '{"epoch": 0}'])
def test_rows_from_the_place_on_go_and_half_rows_too(tmp_path, place, kept, tail):
    rows = write_metrics(tmp_path / "metrics.jsonl", tail)
    rewind_metrics(tmp_path / "metrics.jsonl", *place)
    text = (tmp_path / "metrics.jsonl").read_text()
    assert [json.loads(line) for line in text.splitlines()] == rows[:kept]
    assert text.endswith("\n")


def test_a_run_without_metrics_is_fine(tmp_path):
    rewind_metrics(tmp_path / "metrics.jsonl", 1, 3)
    assert not list(tmp_path.iterdir())


def test_a_run_that_goes_on_keeps_each_configuration_it_leaves(tmp_path):
    def held():
        return {path.name: path.read_text() for path in tmp_path.glob("*.yaml")}

    write_config(tmp_path, {"a": 1})
    write_config(tmp_path, {"a": 2})  # no checkpoint: what a = 1 gave is lost
    assert held() == {"config.yaml": "a: 2\n"}
    for epoch, values in ((7, (3, 3)), (9, (2,))):
        (tmp_path / "checkpoints" / f"epoch-{epoch:04d}").mkdir(parents=True)
        for value in values:
            write_config(tmp_path, {"a": value})
    assert held() == {
        "config.yaml": "a: 2\n",
        "config-0001.yaml": "# The run's configuration up to epoch-0007.\na: 2\n",
        "config-0002.yaml": "# The run's configuration up to epoch-0009.\na: 3\n",
    }
    (tmp_path / "config.yaml").write_bytes(b"\xe9")
    write_config(tmp_path, {"a": 2})
    assert (tmp_path / "config-0003.yaml").read_bytes().endswith(b"epoch-0009.\n\xe9")
    assert read_config(tmp_path) == {"a": 2}


@pytest.mark.parametrize(
    ("key", "value"),
    [("step", "1"), ("step", -1), ("epoch", [1]), ("loss", "x"), ("lr", None), ("seconds", "x")],
)
def test_a_row_with_another_value_is_named(tmp_path, key, value):
    first, *others = rows()
    assert first["kind"] == "train"
    path = write_run(tmp_path, [{**first, key: value}, *others]) / "metrics.jsonl"
    with pytest.raises(InputError, match=r"metrics\.jsonl line [12]: damaged"):
        read_metrics(path)


@pytest.mark.parametrize("line", ["{}}", "1}", '{"epoch": "x"}', "[" * 10**5 + "}"], ids=range(4))
def test_a_damaged_line_is_named_before_a_run_goes_on(tmp_path, line):
    path = tmp_path / "metrics.jsonl"
    write_metrics(path, f"{line}\n")
    before = path.read_text()
    with pytest.raises(InputError, match=r"metrics\.jsonl line 10: damaged"):
        rewind_metrics(path, 0, 0)
    assert path.read_text() == before
