import json
import math

import pytest
import scipy.stats

from gluon_glore.utils.errors import InputError
from tests.helpers.places import ROOT
from train.paper import study_report
from train.paper.studies import STUDIES, Ablation
from train.paper.study_report import PAGES, compare, fill, markdown, read_results, rows_of

FIRST = {
    "name": "plain",
    "parameters": 93970,
    "macs": 5984320,
    "top1": [50.0, 51.0, 52.0],
    "mean": 51.0,
    "deviation": 1.0,
    "curves": [[50.0, 50.0], [49.0, 51.0], [50.0, 52.0]],
}
SECOND = {**FIRST, "name": "GloRe", "top1": [80.0, 84.0, 85.0], "mean": 83.0, "deviation": 2.6458}
TABLE = """\
| network | parameters | multiply-adds | accuracy on unseen digits | difference | p |
|---|---:|---:|---:|---:|---:|
| plain | 94.0 k | 5.98 M | 51.0 ± 1.0 % | – | – |
| GloRe | 94.0 k | 5.98 M | 83.0 ± 2.6 % | +32.0 | < 0.001 |"""
# Of the differences 0.5, 0, 1: their mean is 1.73 standard errors.
T_TEST = 2 * scipy.stats.t.sf(0.5 / (0.5 / math.sqrt(3)), 2)
RESULTS = {"moving_digits": {"rows": {"plain": FIRST, "nonlocal": SECOND, "glore": SECOND}}}


def test_a_table_has_means_deviations_and_a_test_against_its_first_row():
    assert markdown([FIRST, SECOND], FIRST) == TABLE
    assert "| 51.0 ± 1.0 % | -32.0 | < 0.001 |" in markdown([FIRST, SECOND], SECOND)
    near = {**FIRST, "name": "near", "top1": [50.5, 51.0, 53.0]}
    assert markdown([FIRST, near], FIRST).endswith(f"| +0.5 | {T_TEST:.3f} |")


def test_the_test_pairs_the_seeds():
    """t = mean / (deviation / sqrt(n)) of the differences 30, 33, 33, looked up with n - 1."""
    mean, p = compare(SECOND["top1"], FIRST["top1"])
    t = 32 / (math.sqrt(3) / math.sqrt(3))
    assert mean == 32
    assert p == pytest.approx(2 * scipy.stats.t.sf(t, 2))
    _, other = compare([84.0, 85.0, 80.0], FIRST["top1"])
    assert other != pytest.approx(p)


@pytest.mark.parametrize("scores", [[70.0], [70.0, 71.0, 72.0]])
def test_no_p_where_there_is_none(scores):
    mean, p = compare(scores, [score - 20 for score in scores])
    assert mean == 20 and math.isnan(p)


def test_a_page_gets_the_table_it_asks_for_and_nothing_else_changes():
    page = "a\n<!-- study: moving_digits kind -->\nold\n<!-- /study -->\nb\n"
    filled = fill(page, RESULTS)
    rows = markdown([FIRST, SECOND, SECOND], SECOND)
    assert filled == page.replace("old", rows)
    assert fill(filled, RESULTS) == filled


@pytest.mark.parametrize("asked", ["pairs kind", "moving_digits shape", "none kind"])
def test_a_table_that_is_not_there_is_refused(asked):
    with pytest.raises(InputError, match=asked.split()[0]):
        fill(f"<!-- study: {asked} -->\n<!-- /study -->", RESULTS)


def test_the_command_draws_a_picture_a_table_and_fills_the_pages(tmp_path, monkeypatch, capsys):
    report, root = tmp_path / "report", tmp_path / "root"
    (root / "docs").mkdir(parents=True)
    report.mkdir()
    (report / "moving_digits.json").write_text(json.dumps(RESULTS["moving_digits"]))
    for page in PAGES:
        (root / page).write_text("<!-- study: moving_digits kind -->\n<!-- /study -->\n")
    monkeypatch.setattr(study_report, "ROOT", root)
    monkeypatch.setattr("sys.argv", ["study_report", "--report", str(report)])
    assert study_report.main() == 0
    picture = report / "moving_digits-kind.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert all("| GloRe |" in (root / page).read_text() for page in PAGES)

    picture.unlink()
    (root / PAGES[-1]).write_text("<!-- study: pairs kind -->\n<!-- /study -->\n")
    before = (root / PAGES[0]).read_text()
    assert study_report.main() == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not picture.exists() and (root / PAGES[0]).read_text() == before

    (report / "moving_digits.json").write_text("{")
    assert study_report.main() == 2
    assert "moving_digits.json" in capsys.readouterr().err


def test_the_pages_say_what_the_studies_measured():
    results = read_results()
    for page in PAGES:
        text = (ROOT / page).read_text()
        assert "<!-- study: " in text
        assert fill(text, results) == text, f"{page}: run python -m train.paper.study_report"


@pytest.mark.parametrize("name", STUDIES)
def test_every_table_is_measured_on_all_seeds_and_has_its_picture(name):
    study, result = STUDIES[name], read_results()[name]
    assert result["seeds"] == study.seeds
    for table, ablation in study.tables.items():
        assert (ROOT / f"docs/study/{name}-{table}.png").is_file()
        for row in rows_of(result, ablation):
            assert len(row["top1"]) == len(row["curves"]) == study.seeds
            assert [curve[-1] for curve in row["curves"]] == row["top1"]
            assert row["mean"] == pytest.approx(sum(row["top1"]) / study.seeds)
    assert isinstance(ablation, Ablation)


def test_what_the_results_are_of_is_what_would_be_run(tmp_path):
    """The recipes and networks written down are those of the configurations and of the code."""
    import dataclasses

    from train.config.kinetics import VideoConfig
    from train.config.load import load_config, to_dict
    from train.config.sections import Config

    for name, result in read_results().items():
        study = STUDIES[name]
        cls = VideoConfig if study.trainer == "train.kinetics" else Config
        config = to_dict(load_config(ROOT / study.config, cls=cls))
        # Read as any older file: what it lacks is as it was before there was a key for it.
        (tmp_path / "config.yaml").write_text(json.dumps(result["config"]))
        measured = to_dict(load_config(tmp_path / "config.yaml", cls=cls))
        assert measured["optim"] == config["optim"], name
        assert measured["data"] == config["data"], name
        assert measured["model"]["classes"] == config["model"]["classes"]
        for key, variant in study.variants.items():
            row = result["rows"][key]
            settings = tuple(row.get("settings", ()))  # older files have none
            assert (row["name"], row["model"], row["units"], settings) == dataclasses.astuple(
                variant
            )
            model = {**config["model"], "name": variant.model, "units": variant.units}
            assert (row["parameters"], row["macs"]) == study.size({**config, "model": model})
