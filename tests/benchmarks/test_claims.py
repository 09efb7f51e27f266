"""The page's claims are the results' figures, in bold where they miss their limit."""

import json

import pytest

from benchmarks import report
from benchmarks.claims import CLAIMS, Claim
from benchmarks.paired import MATRIX_FLAGS, machine
from gluon_glore.utils.cpu import processor_flags

INPUT = {"batch": 32, "rounds": 7, "images_per_second": {"ours": 300.0, "ImageRecordIter": 120.0}}


def write(folder, **figures):
    folder.mkdir(exist_ok=True)
    result = {**INPUT, **figures, "machine": machine(2)}
    (folder / "loader.json").write_text(json.dumps(result))


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    return tmp_path


def test_a_row_has_each_machines_figure_in_bold_where_it_misses(results):
    write(results, ratio=2.5)
    write(results / "other", ratio=3.25)
    (row,) = (line for line in report.page().splitlines() if line.startswith("| training input"))
    assert [cell.strip() for cell in row.strip("|").split("|")][1:] == [
        "at least 3",
        "**2.500**",
        "3.250",
    ]


def test_machines_are_said_before_all_figures(results):
    write(results, ratio=2.5)
    text = report.page()
    place = text.index("- this one: ")
    assert text.index("## Claims") < place < text.index("| training input") < text.index("120.00")
    flag = next((flag for flag in MATRIX_FLAGS if flag in processor_flags()), "")
    assert flag in text[place:].splitlines()[0]


def test_what_was_not_measured_is_a_dash_and_without_any_there_is_no_table(results):
    assert "## Claims" not in report.page()
    write(results / "other", ratio=3.25)
    (row,) = (line for line in report.page().splitlines() if line.startswith("| training input"))
    assert row.endswith("| at least 3 | – | 3.250 |")


def test_a_competitor_that_did_not_run_is_no_figure(tmp_path):
    claim = Claim("", "loader", lambda result: result["competitors"]["PyTorch"], 1)
    assert claim.measured(tmp_path) is None
    write(tmp_path, competitors={})
    assert claim.measured(tmp_path) is None


@pytest.mark.parametrize("at_most", [True, False])
def test_a_limit_is_kept_at_the_limit(at_most):
    claim = Claim("", "", None, 2.0, at_most)
    assert claim.holds(2.0) and claim.holds(1.9) is at_most and claim.holds(2.1) is not at_most


def test_every_claim_finds_its_figure_in_what_was_measured():
    """But for what a machine's competitors lacked: no claim reads a key that no result has."""
    folders = [report.RESULTS, *(place for place in report.RESULTS.iterdir() if place.is_dir())]
    for claim in CLAIMS:
        assert any(claim.measured(folder) for folder in folders), claim.text
