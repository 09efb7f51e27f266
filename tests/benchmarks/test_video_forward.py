"""The 3-D networks' passes are measured in turns, with ratios formed within a round."""

import importlib.util
import json
from dataclasses import replace

import pytest

from benchmarks import report, video_forward
from benchmarks.video_forward import COMPETITORS, GLORE, LIMIT, OURS, THEIRS, summarize
from gluon_glore import get_spec
from gluon_glore.plan.stages import Stage
from tests.helpers.networks import relative_error
from tests.helpers.without_mxnet import needs_mxnet

BACKBONE = video_forward.BACKBONES[0]


@pytest.fixture
def small():
    """The three networks on clips of 2x32x32, narrow and shallow, by the names of the real ones."""
    rows = (Stage(1, 32, 1), Stage(2, 32, (2, 2, 2)))
    plain = replace(
        get_spec(video_forward.PLAIN.format(BACKBONE)),
        stages=rows,
        input_size=(2, 32, 32),
        classes=5,
        dropout=0.5,
    )
    specs = {
        GLORE: plain.with_units("glore", res3=(1,), arrangement="post"),
        video_forward.NONLOCAL: plain.with_units("nonlocal", res3=(1,), subsample=2),
        video_forward.PLAIN: plain,
    }
    named = {name.format(BACKBONE): spec for name, spec in specs.items()}
    return {name: replace(spec, name=f"small_{name}") for name, spec in named.items()}


def turn(seconds, mib=1):
    return {"seconds": [seconds], "peak_mib": mib}


def prepared(tmp_path, monkeypatch, small, labels):
    """A folder with what those competitors need, of small networks: `(folder, reasons)`."""
    monkeypatch.setattr(video_forward, "network", small.get)
    return video_forward.prepare(tmp_path, [COMPETITORS[label] for label in labels], BACKBONE)


def job(tmp_path, label):
    name = COMPETITORS[label].network.format(BACKBONE)
    return video_forward.Job(name, tmp_path / name, 1, 1)


def test_all_networks_run_forward_and_backward(tmp_path, monkeypatch, small):
    labels = [label for label, row in COMPETITORS.items() if row.forward.package == "mxnet"][:3]
    assert not prepared(tmp_path, monkeypatch, small, labels)
    for label in labels:
        row = COMPETITORS[label]
        assert row.forward.make(job(tmp_path, label))().shape == (1, 5)
        row.backward(job(tmp_path, label))()


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="PyTorch is only a competitor")
@pytest.mark.parametrize("label", [x for x in COMPETITORS if "PyTorch" in x])
def test_pytorch_runs_the_same_weights(tmp_path, monkeypatch, small, label):
    prepared(tmp_path, monkeypatch, small, [OURS, label])
    ours, theirs = (COMPETITORS[x].forward.make(job(tmp_path, x))() for x in (OURS, label))
    assert relative_error(theirs, ours) < 1e-4
    COMPETITORS[label].backward(job(tmp_path, label))()


def test_the_export_gives_the_same_logits_in_every_runtime(tmp_path, monkeypatch, small):
    labels = [x for x, row in COMPETITORS.items() if row.forward.exported and not row.forward.lack]
    assert not prepared(tmp_path, monkeypatch, small, [OURS, *labels])
    ours = COMPETITORS[OURS].forward.make(job(tmp_path, OURS))()
    for label in labels:
        assert relative_error(COMPETITORS[label].forward.make(job(tmp_path, label))(), ours) < 1e-4


@needs_mxnet
def test_an_export_that_fails_is_a_reason_not_an_end(tmp_path, monkeypatch, small):
    monkeypatch.setattr(video_forward, "export", lambda *_: "no fp32 export: full")
    label = "GloRe, exported, MXNet"
    reasons = prepared(tmp_path, monkeypatch, small, [OURS, label])
    assert reasons == {label: "no fp32 export: full"}


def test_a_run_measures_all_and_writes_the_result(tmp_path, monkeypatch, capsys):
    """Without the networks: answers as the workers give them."""
    given, named = {}, GLORE.format(BACKBONE)

    def answers(module, competitors, rounds, threads, warmup):
        given.update(competitors)
        return {label: [turn(1.0)] * rounds for label in competitors}, {}

    monkeypatch.setattr(video_forward, "prepare", lambda folder, rows, backbone: {})
    monkeypatch.setattr(video_forward, "take_turns", answers)
    video_forward.main(["--rounds", "7", "--out", str(tmp_path)])
    assert not any("exported" in label for label in given)
    assert all(options["backward"] is False for options in given.values())
    result = json.loads((tmp_path / f"video_forward_{named}_batch1.json").read_text())
    assert list(result["competitors"]) == list(given)
    assert f"limit {LIMIT}" in capsys.readouterr().out
    monkeypatch.setattr(report, "RESULTS", tmp_path)
    assert "| non-local, MXNet | 1.000 | 1.000 | 1 |" in report.page()
    given.clear()
    video_forward.main(["--backward", "--deployed", "--batch", "2", "--out", str(tmp_path)])
    assert given and not any("exported" in label for label in given)  # they do not train
    result = json.loads((tmp_path / f"video_backward_{named}_batch2.json").read_text())
    assert result["command"] == (
        "python -m benchmarks.video_forward --network resnet50_3d --batch 2 --backward --deployed"
    )
    assert "limit" not in capsys.readouterr().out


def test_ratios_are_formed_within_a_round():
    answers = {
        OURS: [turn(1, 100), turn(2, 200), turn(8, 100)],
        THEIRS: [turn(2, 150), turn(4, 220), turn(8, 150)],
    }
    row = summarize(answers, BACKBONE)[THEIRS]
    assert row["seconds"] == 4 and row["ours_over_it"] == 0.5 and row["peak_mib"] == 220


def test_without_the_network_that_all_are_compared_with_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(video_forward, "prepare", lambda folder, rows, backbone: {})
    monkeypatch.setattr(video_forward, "take_turns", lambda *_, **__: ({}, {OURS: "too small"}))
    with pytest.raises(RuntimeError, match="GloRe, MXNet: too small"):
        video_forward.main([])


def test_unknown_competitors_are_refused(capsys):
    with pytest.raises(SystemExit):
        video_forward.main(["--only", "GloRe"])
    assert "invalid choice: 'GloRe'" in capsys.readouterr().err
