import dataclasses
import json

import pytest
import yaml

from gluon_glore.model_zoo.load import load_network
from tests.helpers.places import ROOT
from train.config.load import load_config, to_dict
from train.paper import studies, study
from train.paper.studies import Ablation, Study, Variant
from train.paper.study import STUDIES

SMALL = Study(
    "are they the same?",
    "train.imagenet",
    "none.yaml",
    {
        "plain": Variant("plain", "tiny"),
        "glore": Variant("GloRe", "tiny", {"kind": "glore", "res4": [1], "mid_channels": 8}),
    },
    {"kind": Ablation("plain and GloRe", ("plain", "glore"))},
    "glore",
    studies.study_examples.draw_pictures,
)


@pytest.fixture
def command(tmp_path, settings, monkeypatch):
    """Set up `train.paper.study pairs` with SMALL in the place of the study, one epoch."""
    config = load_config(ROOT / "configs/digit_pairs.yaml", [*settings, "optim.epochs=1"])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(to_dict(config)))
    monkeypatch.setitem(STUDIES, "pairs", SMALL)
    words = ["study", "pairs", "--out", str(tmp_path / "runs"), "--seeds", "2"]
    words += ["--report", str(tmp_path / "report"), "--config", str(tmp_path / "config.yaml")]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.chdir(ROOT)


def test_a_study_trains_each_variant_once_and_writes_down_what_came_of_it(
    tmp_path, command, capsys
):
    assert study.main() == 0
    result = json.loads((tmp_path / "report/pairs.json").read_text())
    assert result["seeds"] == 2
    assert result["config"]["optim"]["epochs"] == 1
    assert list(result["rows"]) == ["plain", "glore"]
    for name, row in result["rows"].items():
        runs = [tmp_path / "runs/pairs" / f"{name}-{seed}" for seed in range(2)]
        summaries = [json.loads((run / "summary.json").read_text()) for run in runs]
        assert row["top1"] == [100 * summary["top1"] for summary in summaries]
        assert row["curves"] == [[top1] for top1 in row["top1"]]
        assert row["mean"] == pytest.approx(sum(row["top1"]) / 2)
        assert [summary["config"]["seed"] for summary in summaries] == [0, 1]
        net, _ = load_network(runs[0])
        units = [unit for unit in net.spec.plan() if unit.kind == "glore"]
        assert [unit.mid_channels for unit in units] == ([8] if name == "glore" else [])
        assert row["parameters"] == sum(
            p.data().size
            for key, p in net.collect_params().items()
            if not key.endswith(("running_mean", "running_var"))
        )
    assert (tmp_path / "report/pairs-examples.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.count("seed") == 4

    before = (tmp_path / "runs/pairs/plain-0/metrics.jsonl").read_bytes()
    assert study.main() == 0
    assert (tmp_path / "runs/pairs/plain-0/metrics.jsonl").read_bytes() == before
    assert "seed" not in capsys.readouterr().out

    (tmp_path / "runs/pairs/glore-1/metrics.jsonl").write_text("{")
    assert study.main() == 2  # a damaged run, in one line
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "glore-1" in error


def test_a_run_that_fails_is_named_and_the_others_go_on(tmp_path, command, monkeypatch, capsys):
    broken = {**SMALL.variants, "glore": Variant("GloRe", "no_such_network")}
    monkeypatch.setitem(STUDIES, "pairs", dataclasses.replace(SMALL, variants=broken))
    assert study.main() == 1
    error = capsys.readouterr().err
    assert "glore-0" in error and "glore-1" in error and "plain" not in error
    assert (tmp_path / "runs/pairs/plain-1/summary.json").exists()
    assert not (tmp_path / "report").exists()


def test_videos_are_studied_by_their_own_trainer(tmp_path, monkeypatch):
    """One variant of three: the others differ in their name alone."""
    pytest.importorskip("av")
    from train.moving_digits import write_moving_digits

    config = yaml.safe_load((ROOT / "configs/moving_digits.yaml").read_text())
    write_moving_digits(tmp_path / "set", train=8, test=6)
    config["data"].update(train=str(tmp_path / "set/train"), val=str(tmp_path / "set/val"))
    config["optim"].update(epochs=1, batch_size=4)
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    videos = STUDIES["moving_digits"]
    one = dataclasses.replace(videos, variants={"glore": videos.variants["glore"]})
    monkeypatch.setitem(STUDIES, "moving_digits", one)
    command = ["study", "moving_digits", "--config", str(tmp_path / "config.yaml"), "--seeds", "1"]
    command += ["--out", str(tmp_path / "runs"), "--report", str(tmp_path / "report")]
    monkeypatch.setattr("sys.argv", command)
    monkeypatch.chdir(ROOT)

    run = tmp_path / "runs/moving_digits/glore-0"
    assert study.main() == 0, (run / "log.txt").read_text()
    summary = json.loads((run / "summary.json").read_text())
    (row,) = json.loads((tmp_path / "report/moving_digits.json").read_text())["rows"].values()
    assert row["top1"] == [100 * summary["top1"]]
    assert summary["config"]["data"]["train"] == str(tmp_path / "set/train")
    picture = tmp_path / "report/moving_digits-examples.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
