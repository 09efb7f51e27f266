import json

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


def test_a_run_that_fails_is_named(tmp_path, monkeypatch, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("data: {train: none.rec}")
    command = ["study", "digit_pairs", "--config", str(config), "--out", str(tmp_path)]
    command += ["--report", str(tmp_path / "report"), "--seeds", "1"]
    monkeypatch.setattr("sys.argv", command)
    monkeypatch.chdir(ROOT)
    assert study.main() == 1
    assert "tiny-0" in capsys.readouterr().err
