import dataclasses
import json

import pytest
import yaml
from conftest import ROOT

from train import study
from train.config import load_config, to_dict


def test_the_study_trains_each_variant_once_and_reports_it(tmp_path, settings, monkeypatch, capsys):
    config = tmp_path / "config.yaml"
    more = ["optim.epochs=1"]
    config.write_text(
        yaml.safe_dump(to_dict(load_config(ROOT / "configs/digit_pairs.yaml", settings + more)))
    )
    runs, report = tmp_path / "runs", tmp_path / "report"
    command = ["study", "digit_pairs", "--config", str(config), "--out", str(runs)]
    monkeypatch.setattr("sys.argv", [*command, "--report", str(report), "--seeds", "1"])
    monkeypatch.chdir(ROOT)

    assert study.main() == 0
    rows = json.loads((report / "study.json").read_text())["rows"]
    assert [row["model"] for row in rows] == ["tiny", None, "tiny_glore_0_1"]
    for row in rows[::2]:
        summary = json.loads((runs / f"{row['model']}-0" / "summary.json").read_text())
        assert row["top1"] == [100 * summary["top1"]]
        assert (summary["model"], summary["config"]["seed"]) == (row["model"], 0)
    assert (report / "study.png").read_bytes().startswith(b"\x89PNG")
    assert (report / "examples.png").read_bytes().startswith(b"\x89PNG")
    assert "| plain (`tiny`) |" in capsys.readouterr().out

    before = (runs / "tiny-0" / "metrics.jsonl").read_bytes()
    assert study.main() == 0
    assert (runs / "tiny-0" / "metrics.jsonl").read_bytes() == before
    assert "seed 0" not in capsys.readouterr().out


def test_videos_are_studied_by_their_own_trainer(tmp_path, monkeypatch, capsys):
    """One variant of three: the others differ in their name alone."""
    pytest.importorskip("av")
    from train.moving_digits import write_moving_digits

    config = yaml.safe_load((ROOT / "configs/moving_digits.yaml").read_text())
    write_moving_digits(tmp_path / "set", train=8, test=6)
    config["data"].update(train=str(tmp_path / "set/train"), val=str(tmp_path / "set/val"))
    config["optim"].update(epochs=1, batch_size=4)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    row = study.STUDIES["moving_digits"]
    one = dataclasses.replace(row, variants={"plain": None, "GloRe": row.variants["GloRe"]})
    monkeypatch.setitem(study.STUDIES, "moving_digits", one)
    command = ["study", "moving_digits", "--config", str(tmp_path / "config.yaml"), "--seeds", "1"]
    command += ["--out", str(tmp_path / "runs"), "--report", str(tmp_path / "report")]
    monkeypatch.setattr("sys.argv", command)
    monkeypatch.chdir(ROOT)

    assert study.main() == 0, (tmp_path / "runs/tiny_3d_glore_0_1-0/log.txt").read_text()
    summary = json.loads((tmp_path / "runs/tiny_3d_glore_0_1-0/summary.json").read_text())
    (_, glore) = json.loads((tmp_path / "report/study.json").read_text())["rows"]
    assert glore["top1"] == [100 * summary["top1"]]
    assert summary["config"]["data"]["train"] == str(tmp_path / "set/train")
    for picture in ("study.png", "examples.png"):
        assert (tmp_path / "report" / picture).read_bytes().startswith(b"\x89PNG")
    assert "| GloRe (`tiny_3d_glore_0_1`) |" in capsys.readouterr().out


@pytest.mark.parametrize("name", study.STUDIES)
def test_all_that_is_studied_measures_top1_of_networks_that_take_the_same(name):
    import importlib

    from gluon_glore import get_spec

    row = study.STUDIES[name]
    specs = [get_spec(model) for model in row.variants.values() if model]
    assert len({(s.input_size, s.in_channels, s.classes) for s in specs}) == 1
    assert specs[0].stages == specs[-1].stages and specs[0].placement == "none"
    assert hasattr(importlib.import_module(row.trainer), "main")


def test_a_run_that_fails_is_named(tmp_path, monkeypatch, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("data: {train: none.rec}")
    command = ["study", "digit_pairs", "--config", str(config), "--out", str(tmp_path)]
    command += ["--report", str(tmp_path / "report"), "--seeds", "1"]
    monkeypatch.setattr("sys.argv", command)
    monkeypatch.chdir(ROOT)
    assert study.main() == 1
    assert "tiny-0" in capsys.readouterr().err
