import json
import math

import pytest

from train.reporting.runs import rewind_metrics


def write(path, tail=""):
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
    rows = write(tmp_path / "metrics.jsonl", tail)
    rewind_metrics(tmp_path / "metrics.jsonl", *place)
    text = (tmp_path / "metrics.jsonl").read_text()
    assert [json.loads(line) for line in text.splitlines()] == rows[:kept]
    assert text.endswith("\n")


def test_a_run_without_metrics_is_fine(tmp_path):
    rewind_metrics(tmp_path / "metrics.jsonl", 1, 3)
    assert not list(tmp_path.iterdir())
