"""Whole runs with an average of the weights: stopped, killed, exported, on two ranks."""

import shutil

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import load_runtime
from gluon_glore.export import export_model
from gluon_glore.model_zoo.load import load_network
from gluon_glore.weights import load_arrays
from gluon_glore.weights.run_folder import checkpoints, position_of
from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.horovod import needs_horovod, train_in_turn
from tests.helpers.runs import (
    CONFIG,
    ask,
    call_at,
    crash,
    options,
    same,
    scene_options,
    state,
    story,
    train,
    video_options,
    weights,
    with_dropout,
)
from tests.helpers.street_scenes import write_scenes
from train import cityscapes, evaluate, kinetics
from train.engine import pretrained, trainer
from train.engine.stop import STOPPED
from train.moving_digits import write_moving_digits
from train.reporting.reporter import Reporter

EMA = "optim.ema=0.9"


@pytest.fixture
def small(settings, monkeypatch):
    """Two epochs of six steps of a network with dropout."""
    monkeypatch.setattr(pretrained, "model_spec", with_dropout)
    return [*settings, "model.name=tiny"]


@pytest.mark.parametrize(
    ("more", "step"),
    [
        ((), 5),  # the boundary: trained, not yet evaluated
        (("optim.precise_norm=2", "optim.accumulate=2"), 8),
        pytest.param(("optim.precision=bfloat16",), 8, marks=needs_bfloat16),
    ],
)
def test_a_run_stopped_after_any_step_goes_on_bit_equal(tmp_path, small, more, step, monkeypatch):
    small = [*small, EMA, *more]
    assert train(tmp_path / "whole", small) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(step, ask))
        assert train(tmp_path / "parts", small) == STOPPED
    assert train(tmp_path / "parts", small, "--resume") == 0
    assert same(state(tmp_path / "parts"), state(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")


def test_a_run_that_dies_goes_on_bit_equal_and_the_average_changes_no_training(
    tmp_path,
    small,
    monkeypatch,
):
    ema = [*small, EMA, "checkpoint.every=4"]
    assert train(tmp_path / "whole", ema) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(10, crash))
        assert train(tmp_path / "parts", ema) == 130
    assert train(tmp_path / "parts", ema, "--resume") == 0
    whole = state(tmp_path / "whole")
    assert same(state(tmp_path / "parts"), whole)
    assert train(tmp_path / "plain", small) == 0
    for name, array in weights(tmp_path / "plain").items():
        file, _, parameter = name.partition(":")
        kept = f"training:{parameter}" if file == "weights.params" else name
        assert np.array_equal(whole[kept], array), name
        if file == "weights.params" and "gamma" in name:
            assert not np.array_equal(whole[name], array), name


def test_what_is_evaluated_is_what_is_saved_and_exported(tmp_path, small):
    run = tmp_path / "run"
    assert train(run, [*small, EMA]) == 0
    assert evaluate.main([str(run), "--batch", "32", "--results", str(tmp_path / "r.json")]) == 0
    told = story(run)[-1]
    assert (tmp_path / "r.json").read_text().count(f'"top1": {told["top1"]}') == 1
    net, manifest = load_network(run)
    model = tmp_path / "model"
    export_model(net, model, manifest)
    x = np.random.default_rng(0).normal(size=(2, 1, 64, 64)).astype("float32")
    expected = net(mx.nd.array(x)).asnumpy()
    assert np.allclose(load_runtime(model, "mxnet")(x), expected, rtol=1e-4, atol=1e-5)


def test_it_begins_and_ends_where_a_resumed_run_says_so(tmp_path, small, capsys):
    small = [*small, "optim.epochs=1"]
    assert train(tmp_path, small) == 0
    on = [*small, "optim.epochs=2", EMA]
    assert train(tmp_path, on, "--resume") == 2
    assert "optim.ema: 0.0 -> 0.9" in capsys.readouterr().err
    assert train(tmp_path, on, "--resume", "--accept-changes") == 0
    training = load_arrays(checkpoints(tmp_path)[-1] / "training.params")
    off = [*small, "optim.epochs=2"]
    assert train(tmp_path, off, "--resume", "--accept-changes") == 0  # finished, so evaluated again
    now = load_arrays(checkpoints(tmp_path)[-1] / "weights.params")
    assert all(np.array_equal(now[k].asnumpy(), training[k].asnumpy()) for k in now)


def test_precise_statistics_are_those_of_the_average(tmp_path, small, monkeypatch):
    measured, measure = [], trainer.measure_statistics

    def watch(net, *rest):
        measure(net, *rest)
        measured.append({k: p.data().asnumpy() for k, p in net.collect_params().items()})

    monkeypatch.setattr(trainer, "measure_statistics", watch)
    assert train(tmp_path, [*small, EMA, "optim.precise_norm=2"]) == 0
    assert len(measured) == 2
    saved = load_arrays(checkpoints(tmp_path)[-1] / "weights.params")
    assert all(np.array_equal(saved[k].asnumpy(), v) for k, v in measured[-1].items())


def test_a_network_in_segments_has_one_too(tmp_path, small):
    more = [*small, EMA, "optim.precise_norm=1", "optim.epochs=1"]
    assert train(tmp_path / "whole", more) == 0
    assert train(tmp_path / "segments", [*more, "optim.recompute=1"]) == 0
    whole, segments = state(tmp_path / "whole"), state(tmp_path / "segments")
    for name, array in whole.items():
        assert np.allclose(segments[name], array, rtol=1e-2, atol=1e-3), name


@pytest.mark.parametrize("task", [cityscapes, kinetics])
def test_scenes_and_videos_have_one_too(tmp_path, task, monkeypatch):
    data = tmp_path / "data"
    if task is cityscapes:
        for part, count in (("train", 8), ("val", 3)):
            write_scenes(data, part, count)
        words = scene_options(data, EMA, "loss.auxiliary=0.4")
    else:
        write_moving_digits(data, train=8, test=4)
        words = video_options(data, EMA, "optim.precise_norm=1")
    assert task.main([*words, "--out", str(tmp_path / "whole")]) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(2, ask))
        assert task.main([*words, "--out", str(tmp_path / "parts")]) == STOPPED
    assert task.main([*words, "--out", str(tmp_path / "parts"), "--resume"]) == 0
    assert same(state(tmp_path / "parts"), state(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")


@needs_horovod
def test_two_ranks_go_on_bit_equal_from_a_checkpoint_within_an_epoch(tmp_path, settings):
    """Statistics too: both runs save, and average them over the ranks, at the same steps."""
    more = [*settings, EMA, "optim.precise_norm=2", "checkpoint.every=4", "checkpoint.keep=9"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    words = ["--config", CONFIG, *options(more)]
    done = train_in_turn("train.imagenet", [*words, "--out", str(whole)])
    assert done.returncode == 0, done.stderr
    shutil.copytree(whole, parts)
    for folder in checkpoints(parts):
        if position_of(folder) > (1, 2):
            shutil.rmtree(folder)
    assert checkpoints(parts)[-1].name == "epoch-0001-step-000002"
    done = train_in_turn("train.imagenet", [*words, "--out", str(parts), "--resume"])
    assert done.returncode == 0, done.stderr
    assert same(state(parts), state(whole))
    assert story(parts) == story(whole)
