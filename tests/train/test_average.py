import json
import shutil

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import load_runtime
from gluon_glore.export import export_model
from gluon_glore.model_zoo.load import load_network
from gluon_glore.weights import load_arrays
from gluon_glore.weights.manifest import read_manifest
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.runs import CONFIG, options, rows, scene_options, video_options
from tests.helpers.street_scenes import write_scenes
from train import (
    average,
    cityscapes,
    evaluate,
    evaluate_kinetics,
    evaluate_segmentation,
    imagenet,
    kinetics,
)
from train.moving_digits import write_moving_digits
from train.report import main as report


@pytest.fixture(scope="module")
def trained(tmp_path_factory, settings):
    """A run of two checkpoints; nothing may change it."""
    out = tmp_path_factory.mktemp("average") / "run"
    words = options(settings, "model.name=tiny_glore_0_1")
    assert imagenet.main(["--config", CONFIG, "--out", str(out), *words]) == 0
    return out


def arrays(folder):
    return {k: v.asnumpy() for k, v in load_arrays(folder / "weights.params").items()}


def newest(run):
    return arrays(checkpoints(run)[-1])


def test_weights_are_the_mean_and_statistics_are_those_of_the_mean(tmp_path, trained, capsys):
    out = tmp_path / "mean"
    assert average.main([str(trained), "--out", str(out), "--precise-norm", "3"]) == 0
    one, other = (arrays(folder) for folder in checkpoints(trained))
    found = newest(out)
    assert found.keys() == one.keys()
    for name, array in found.items():
        mean = (one[name].astype(np.float64) + other[name]) / 2
        assert np.allclose(array, mean, rtol=1e-6, atol=1e-8) == ("running_" not in name), name
        if "gamma" in name:
            assert not np.array_equal(one[name], other[name])
    told = capsys.readouterr().out
    scores = [read_manifest(folder).score for folder in checkpoints(trained)]
    assert all(f"top-1 {score:.4f} in its run" in told for score in scores)
    score = read_manifest(checkpoints(out)[-1]).score
    assert "average of 2: loss " in told and f"top-1 {score:.4f}" in told


def test_its_folder_is_taken_as_a_run_is(tmp_path, trained, settings, capsys):
    out = tmp_path / "mean"
    assert average.main([str(trained), "--out", str(out), "--precise-norm", "2"]) == 0
    results = tmp_path / "r.json"
    assert evaluate.main([str(out), "--results", str(results)]) == 0
    assert json.loads(results.read_text())["top1"] == rows(out)[-1]["top1"]
    assert report([str(out), str(trained), "--out", str(tmp_path / "curves.png")]) == 0
    net, manifest = load_network(out)
    export_model(net, tmp_path / "model", manifest)
    x = np.random.default_rng(0).normal(size=(2, 1, 64, 64)).astype("float32")
    expected = net(mx.nd.array(x)).asnumpy()
    assert np.allclose(load_runtime(tmp_path / "model", "mxnet")(x), expected, rtol=1e-4, atol=1e-5)
    more = options(settings, "model.name=tiny_glore_0_1", f"model.pretrained={out}")
    words = ["--config", CONFIG, *more, "--set", "optim.epochs=1"]
    assert imagenet.main([*words, "--out", str(tmp_path / "next")]) == 0
    capsys.readouterr()
    assert imagenet.main([*words, "--out", str(out), "--resume", "--accept-changes"]) == 2
    assert "momentum.params" in capsys.readouterr().err


def test_of_a_run_of_scenes(tmp_path):
    for part, count in (("train", 8), ("val", 3)):
        write_scenes(tmp_path / "data", part, count)
    out = tmp_path / "mean"
    words = scene_options(tmp_path / "data", "loss.auxiliary=0.4")
    assert cityscapes.main([*words, "--out", str(tmp_path / "run")]) == 0
    assert average.main([str(tmp_path / "run"), "--out", str(out), "--precise-norm", "1"]) == 0
    assert evaluate_segmentation.main([str(out), "--out", str(tmp_path / "r.json")]) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert np.isclose(result["miou"], read_manifest(checkpoints(out)[-1]).score, atol=1e-3)


def test_of_a_run_of_videos(tmp_path):
    write_moving_digits(tmp_path / "data", train=8, test=4)
    out = tmp_path / "mean"
    assert kinetics.main([*video_options(tmp_path / "data"), "--out", str(tmp_path / "run")]) == 0
    assert average.main([str(tmp_path / "run"), "--out", str(out), "--precise-norm", "1"]) == 0
    words = [str(out), "--clips", "1", "--results", str(tmp_path / "r.json")]
    assert evaluate_kinetics.main(words) == 0
    result = json.loads((tmp_path / "r.json").read_text())
    assert result["top1"] == read_manifest(checkpoints(out)[-1]).score


def test_what_cannot_be_averaged_is_one_line(tmp_path, trained, settings, capsys):
    def error(*words, out="mean"):
        assert average.main([*map(str, words), "--out", str(tmp_path / out)]) == 2
        *_, line = capsys.readouterr().err.splitlines()
        assert not (tmp_path / "mean").exists()
        return line

    first, last = checkpoints(trained)
    assert "neither a run nor a checkpoint of one" in error(tmp_path)
    assert "one checkpoint, an average needs two" in error(trained, "--last", "1")
    assert "a checkpoint is given twice" in error(trained, last)
    (tmp_path / "taken" / "x").mkdir(parents=True)
    assert "is there already" in error(trained, out="taken")
    other = tmp_path / "other"
    shutil.copytree(trained, other)
    damaged = checkpoints(other)[0] / "weights.params"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert f"{damaged}" in error(trained, other)
    (other / "config.yaml").unlink()
    assert "no config.yaml beside the checkpoints" in error(checkpoints(other)[1], first)
    words = options(settings, "model.name=tiny", "optim.epochs=1")
    assert imagenet.main(["--config", CONFIG, "--out", str(tmp_path / "tiny"), *words]) == 0
    assert "has another model and network than" in error(trained, tmp_path / "tiny")


def test_a_run_with_fewer_checkpoints_than_asked_for_says_so(tmp_path, trained, capsys):
    words = [str(trained), "--out", str(tmp_path / "mean"), "--last", "5", "--precise-norm", "1"]
    assert average.main(words) == 0
    assert "2 checkpoints, --last 5 asks for more: a run keeps" in capsys.readouterr().err
