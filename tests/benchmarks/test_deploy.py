"""The deployment benchmark runs what is there, names what is not, and forms ratios in a round."""

import dataclasses
import json
import shutil
import tempfile

import pytest
from mxnet.gluon import nn

from benchmarks import deploy, report, training_step
from benchmarks.competitors import COMPETITORS, PEAK_SIZE
from benchmarks.networks import make_block, network
from gluon_glore import InputError, get_spec
from gluon_glore.data.image import Preprocess
from gluon_glore.export import export_model
from gluon_glore.export.describe import describe
from gluon_glore.weights.manifest import MANIFEST, parse_manifest, write_manifest
from tests.helpers.exports import exported

NAME = "tiny_glore_0_1"
# One thread: a team of them that shares its cores with other work is very slow.
OPTIONS = ["--network", NAME, "--batch", "8", "--rounds", "7", "--threads", "1", "--out"]


def turn(*seconds):
    return {"seconds": list(seconds), "peak_mib": 100}


def test_a_small_network_is_measured_in_every_runtime(tmp_path):
    only = ["matrix product, numpy", "MXNet Gluon fp32", "MXNet exported fp32", "OpenVINO fp32"]
    deploy.main([*OPTIONS, str(tmp_path), "--only", *only])
    text = (tmp_path / f"deploy_{NAME}_batch8.json").read_text()
    result = json.loads(text)
    assert set(result["competitors"]) | set(result["not_run"]) == set(only[1:])
    assert "MXNet exported fp32" in result["competitors"]
    for row in result["competitors"].values():
        assert 0 < row["latency_ms_p50"] <= row["latency_ms_p99"]
        assert row["images_per_second"] > 0 and row["share_of_peak"] > 0 and row["peak_mib"] > 10
    assert str(tmp_path) not in text


def test_an_exported_folder_of_any_network_is_measured_in_its_own_precision(tmp_path):
    net = nn.HybridSequential(prefix="small_")
    with net.name_scope():
        net.add(nn.Conv2D(4, 3, in_channels=3), nn.GlobalAvgPool2D(), nn.Dense(2, in_units=4))
    net.initialize()
    pixels = Preprocess((16, 16), 0)
    manifest = describe(net, pixels, ("no", "yes"), name="small", size=(16, 16))
    folder = export_model(net, tmp_path / "mine", manifest)
    only = ["MXNet Gluon fp32", "MXNet exported fp32", "OpenVINO fp32"]
    options = ["--batch", "2", "--rounds", "7", "--threads", "1", "--out", str(tmp_path)]
    deploy.main(["--network", str(folder), *options, "--only", *only])
    text = (tmp_path / "deploy_mine_batch2.json").read_text()
    assert str(tmp_path) not in text and tempfile.gettempdir() not in text
    result = json.loads(text)
    assert list(result["competitors"]) == ["MXNet exported fp32"]
    assert result["macs"] == 14 * 14 * 4 * 3 * 3 * 3 + 4 * 2
    assert result["not_run"]["MXNet Gluon fp32"] == "the folder is exported in fp32"
    assert "export with --onnx" in result["not_run"]["OpenVINO fp32"]


def test_exports_of_a_network_in_other_precisions_take_turns(tmp_path):
    exported(tmp_path / "plain", NAME)
    shutil.copytree(tmp_path / "plain", tmp_path / "integers")
    rows = [COMPETITORS[f"MXNet exported {precision}"] for precision in ("fp32", "int8")]
    plain, integers = tmp_path / "plain", tmp_path / "integers"
    (tmp_path / "one").mkdir()
    with pytest.raises(InputError, match="integers: another folder is exported in fp32, too"):
        deploy.prepare_export([plain, integers], tmp_path / "one", rows)
    manifest = parse_manifest(integers / MANIFEST)
    changed = dataclasses.replace(manifest.deployment, precision="int8")
    write_manifest(
        integers, dataclasses.replace(manifest, deployment=changed), sorted(manifest.sha256)
    )
    (tmp_path / "two").mkdir()
    assert deploy.prepare_export([plain, integers], tmp_path / "two", rows) == {}
    assert {path.name for path in (tmp_path / "two").iterdir()} == {"fp32", "int8"}
    other = dataclasses.replace(changed, shape=(None, 1, 48, 64))
    write_manifest(
        integers, dataclasses.replace(manifest, deployment=other), sorted(manifest.sha256)
    )
    (tmp_path / "three").mkdir()
    with pytest.raises(InputError, match="integers takes another input than .*plain"):
        deploy.prepare_export([plain, integers], tmp_path / "three", rows)


def test_other_benchmarks_take_a_name_or_an_exported_folder(tmp_path):
    exported(tmp_path / "out", NAME)
    for name in (NAME, str(tmp_path / "out")):
        block, x = make_block(name, 3)
        assert block(x).shape == (3, 2)


def test_a_training_step_is_measured(tmp_path):
    training_step.main([*OPTIONS, str(tmp_path), "--only", "MXNet Gluon fp32"])
    result = json.loads((tmp_path / f"training_step_{NAME}_batch8.json").read_text())
    assert result["competitors"]["MXNet Gluon fp32"]["seconds"] > 0


def test_a_step_in_bfloat16_is_compared_with_its_own_librarys_in_float32_within_a_round():
    answers = {
        "MXNet Gluon fp32": [turn(1.0), turn(3.0), turn(2.0)],
        "MXNet Gluon bf16": [turn(0.5), turn(2.0), turn(1.0)],
        "PyTorch autocast bf16": [turn(1.0), turn(1.0), turn(1.0)],  # its own did not run
    }
    rows = training_step.summarize(answers, batch=8)
    ratios = {label: row.get("over_own_fp32") for label, row in rows.items()}
    assert list(ratios.values()) == [None, 2.0, None]


def test_what_is_not_installed_is_left_out_with_its_reason(tmp_path, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    rows = [COMPETITORS["PyTorch NCHW fp32"], COMPETITORS["MXNet Gluon fp32"]]
    assert deploy.prepare(NAME, tmp_path, rows) == {
        "PyTorch NCHW fp32": "torch is not installed",
        "MXNet Gluon fp32": "mxnet is not installed",
    }


def test_an_export_that_fails_leaves_out_who_would_run_it(tmp_path):
    rows = [COMPETITORS["MXNet exported int8"], COMPETITORS["MXNet Gluon fp32"]]
    reasons = deploy.prepare(NAME, tmp_path, rows, calibration=tmp_path / "none.rec")
    assert list(reasons) == ["MXNet exported int8"]
    assert "none.rec" in reasons["MXNet exported int8"]


def test_ratios_are_formed_within_a_round():
    answers = {
        "matrix product, numpy": [turn(1.0), turn(2.0), turn(4.0)],
        "matrix product, MXNet": [turn(9.0), turn(9.0), turn(9.0)],
        "MXNet Gluon fp32": [turn(1.0, 1.0, 3.0), turn(2.0), turn(4.0)],
        "PyTorch NCHW fp32": [turn(2.0), turn(4.0), turn(8.0)],
        "PyTorch channels-last fp32": [turn(9.0), turn(9.0), turn(9.0)],
    }
    macs = PEAK_SIZE**3 // 4
    rows, peak = deploy.summarize(answers, batch=2, macs=macs)
    assert peak["library"] == "matrix product, numpy"
    own = rows["MXNet Gluon fp32"]
    assert own["over_pytorch_fp32"] == 2  # in each round, though all the machine slowed down
    assert own["share_of_peak"] == pytest.approx(0.5)
    assert own["images_per_second"] == 1 and own["latency_ms_p99"] == 4000
    assert rows["PyTorch NCHW fp32"]["over_pytorch_fp32"] == 1
    assert "over_pytorch_bf16" not in own


def test_the_other_arrangement_has_a_name():
    ours, post = get_spec("resnet50_glore_2_3"), network("resnet50_glore_2_3_post")
    placed = [(unit.name, unit.arrangement) for unit in post.plan() if unit.kind == "glore"]
    assert placed == [(u.name, "post") for u in ours.plan() if u.kind == "glore"]
    with pytest.raises(InputError, match="resnet50 has no GloRe units"):
        network("resnet50_post")


def test_the_page_is_that_of_the_results():
    assert report.PAGE.read_text() == report.page()
