"""Segmentation steps are measured with and without the unit, and reported as measured."""

import json

import numpy as np
import pytest

from benchmarks import report, segmentation_step
from benchmarks.segmentation_step import TIMED, WITH, WITHOUT, make_network
from gluon_glore import InputError
from tests.helpers.without_mxnet import needs_mxnet


def turn(seconds, mib):
    return {"seconds": [seconds], "peak_mib": mib}


@needs_mxnet
def test_both_are_measured_and_the_page_shows_all_rows(tmp_path, monkeypatch):
    # Small networks in the place of Table 3's, which another test steps through.
    small = ("fcn_small_cityscapes", "fcn_small_glore_1_cityscapes")
    counted = ("fcn_resnet50_cityscapes", *small)
    for name, value in (("TIMED", small), ("WITHOUT", small[0]), ("COUNTED", counted)):
        monkeypatch.setattr(segmentation_step, name, value)
    options = ["--size", "32", "--rounds", "5", "--threads", "1", "--out", str(tmp_path)]
    segmentation_step.main(options)
    result = json.loads((tmp_path / "segmentation_step.json").read_text())
    rows = result["competitors"]
    assert list(rows) == list(counted)
    assert [name for name in rows if "seconds" in rows[name]] == list(small)
    for name in small:
        row = rows[name]
        assert row["seconds"] > 0
        # Weights and their gradients at the least.
        assert row["peak_mib"] >= row["one_step_mib"] - 32
        assert row["one_step_mib"] > 2 * 4 * row["parameters"] / 2**20
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    page = report.page()
    lines = [line for line in page.splitlines() if line.startswith("| fcn_")]
    assert [line.split()[1] for line in lines] == list(counted)
    assert "## Segmentation step" in page and "## Deployed" not in page
    assert lines[0].count("–") == 6  # counted, not timed


@needs_mxnet
def test_a_step_reaches_every_parameter_through_the_hybridised_graph(monkeypatch):
    made = []

    def keep(name, size):
        made.append(make_network(name, size))
        return made[0]

    monkeypatch.setattr(segmentation_step, "make_network", keep)
    segmentation_step.make_step(WITH, 32, 1)()
    (net,) = made
    assert net._cached_graph  # hybridised
    for name, parameter in net.collect_params().items():
        if parameter.grad_req != "null":
            assert np.abs(parameter.grad().asnumpy()).max() > 0, name


def test_ratios_of_time_are_formed_within_a_round():
    answers = {
        WITHOUT: [turn(1, 100), turn(2, 200), turn(8, 100)],
        WITH: [turn(2, 150), turn(4, 220), turn(8, 150)],
    }
    first = {WITHOUT: [turn(0, 80)], WITH: [turn(0, 120)]}
    rows = segmentation_step.summarize(answers, first)
    own = rows[WITH]
    assert own["seconds"] == 4 and own["seconds_ratio"] == 2
    assert own["peak_mib"] == 220 and own["peak_ratio"] == pytest.approx(1.1)
    assert own["one_step_mib"] == 120 and own["one_step_ratio"] == pytest.approx(1.5)
    assert [rows[WITHOUT][f"{key}_ratio"] for key in ("seconds", "peak", "one_step")] == [1, 1, 1]


def test_memory_that_is_not_known_is_a_dash():
    answers = {name: [turn(1, None)] for name in TIMED}
    row = segmentation_step.summarize(answers, answers)[WITH]
    assert row["peak_mib"] is row["peak_ratio"] is row["one_step_ratio"] is None
    assert report.number(row["peak_ratio"], 2) == "–"


@needs_mxnet
def test_too_small_a_crop_is_refused_before_anything_runs():
    with pytest.raises(InputError, match="4x4 is too small"):
        segmentation_step.main(["--size", "4"])


def test_too_few_rounds_are_refused(capsys):
    with pytest.raises(SystemExit):
        segmentation_step.main(["--rounds", "4"])
    assert "at least 5 rounds, given 4" in capsys.readouterr().err
