"""Whole runs of mixed pictures and of a teacher: resumed, on two ranks, and what they refuse."""

import shutil

import pytest
import yaml

from gluon_glore.utils.files import sha256
from gluon_glore.weights import load_arrays
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.horovod import needs_horovod, train_in_turn
from tests.helpers.places import ROOT
from tests.helpers.runs import (
    CONFIG,
    ask,
    call_at,
    options,
    rows,
    same,
    story,
    train,
    weights,
    with_dropout,
)
from train import cityscapes, kinetics
from train.engine import pretrained
from train.engine.stop import STOPPED
from train.moving_digits import write_moving_digits
from train.reporting.reporter import Reporter

ODD = ["--set", "optim.batch_size=30"]  # 15 for each of two


@pytest.fixture
def recipe(settings):
    """Two epochs of six steps on mixed pictures."""
    mix = ["mix.mixup=0.4", "mix.cutmix=1", "mix.share=0.8", "optim.loss=bce"]
    return [*settings, "model.name=tiny", "optim.label_smoothing=0.1", *mix]


@pytest.fixture
def small(recipe, monkeypatch):
    """The same, of a network with dropout."""
    monkeypatch.setattr(pretrained, "model_spec", with_dropout)
    return recipe


@pytest.fixture(scope="module")
def teacher(settings, tmp_path_factory):
    """A run of one epoch."""
    run = tmp_path_factory.mktemp("teacher") / "run"
    assert train(run, [*settings, "model.name=tiny_glore_0_1", "optim.epochs=1"]) == 0
    return run


@pytest.mark.parametrize(
    ("step", "more"),
    [
        (2, []),
        (8, ["optim.precise_norm=2", "optim.accumulate=2", "optim.recompute=1"]),
        pytest.param(8, ["optim.precision=bfloat16"], marks=needs_bfloat16),
    ],
)
def test_a_run_of_mixed_pictures_and_a_teacher_goes_on_bit_equal(
    tmp_path, small, teacher, step, more, monkeypatch
):
    taught = [f"distill.teacher={teacher}", "distill.weight=0.5", "distill.temperature=2"]
    small = [*small, *taught, *more]
    assert train(tmp_path / "whole", small) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(step, ask))
        assert train(tmp_path / "parts", small) == STOPPED
    assert train(tmp_path / "parts", small, "--resume") == 0
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")
    told = [row for row in rows(tmp_path / "whole") if row["kind"] == "train"]
    assert len(told) == 12 and all(0 <= row["top1"] <= 1 for row in told)
    (kept,) = checkpoints(tmp_path / "whole")[-1].glob("weights.params")
    assert "conv4_B01_extra" not in str(list(load_arrays(kept)))  # the teacher is not saved


def test_the_last_epochs_train_on_pictures_as_they_are(tmp_path, small):
    """Of which a run without any mixing says the same, where its weights do not move."""
    still = [*small, "optim.lr=1e-30", "optim.precision=float32", "optim.nesterov=false"]
    without = [s for s in still if not s.startswith("mix.")]
    assert train(tmp_path / "mixed", [*still, "mix.share=1", "mix.off_epochs=1"]) == 0
    assert train(tmp_path / "plain", without) == 0
    told = [
        [row["loss"] for row in story(tmp_path / run) if row["kind"] == "train"]
        for run in ("mixed", "plain")
    ]
    assert told[0][6:] == told[1][6:]
    assert all(a != b for a, b in zip(told[0][:6], told[1][:6]))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["optim.batch_size=31"], "mix the pictures of a process by two: optim.batch_size 31 on 1"),
        (["mix.off_epochs=2"], "mix.off_epochs must be below the run's 2 epochs, given 2"),
        (["mix.mixup=-1"], "mix.mixup must not be below 0, given -1"),
        (["mix.cut=1"], "unknown config key mix.cut, did you mean mix.cutmix?"),
        (["optim.loss=mse"], "optim.loss must be cross_entropy or bce, given 'mse'"),
    ],
)
def test_what_cannot_be_mixed_is_one_error_before_anything_is_written(
    tmp_path, recipe, more, message, capsys
):
    assert train(tmp_path / "run", [*recipe, *more]) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and message in error
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and ".lock" not in path.name]


def test_a_run_says_its_teacher_and_does_not_go_on_with_another(
    tmp_path, settings, teacher, capsys
):
    own = tmp_path / "teacher"
    shutil.copytree(teacher, own)
    taught = [*settings, "model.name=tiny", f"distill.teacher={own}", "distill.weight=1"]
    assert train(tmp_path / "run", [*taught, "optim.epochs=1"]) == 0
    digest = sha256(checkpoints(own)[-1] / "weights.params")
    said = capsys.readouterr().err
    assert f"learns from distill.teacher {own}/checkpoints/epoch-0001/weights.params" in said
    config = yaml.safe_load((tmp_path / "run/config.yaml").read_text())
    assert config["distill"]["sha256"] == digest
    assert train(own, [*settings, "model.name=tiny_glore_0_1"], "--resume", "--accept-changes") == 0
    capsys.readouterr()
    assert train(tmp_path / "run", [*taught, "optim.epochs=1"], "--resume") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "its run had other values of distill.sha256: resume with those" in error
    assert train(tmp_path / "run", [*taught, f"distill.sha256={digest}"], "--resume") == 2
    assert f"distill.sha256 is {digest[:8]}..., the weights" in capsys.readouterr().err


def test_videos_are_mixed_and_taught(tmp_path, teacher, capsys):
    """Their clips, and by a network of videos alone."""
    write_moving_digits(tmp_path / "set", train=8, test=2)
    data = [f"data.train={tmp_path}/set/train", f"data.val={tmp_path}/set/val", "log_every=1"]
    small = [*data, "optim.epochs=1", "optim.batch_size=4", "mix.mixup=0.4", "mix.cutmix=1"]

    def train_videos(run, *more):
        config = str(ROOT / "configs/moving_digits.yaml")
        words = ["--config", config, "--out", str(tmp_path / run), *options(small, *more)]
        return kinetics.main(words)

    assert train_videos("teacher") == 0
    assert train_videos("run", f"distill.teacher={tmp_path}/teacher", "distill.weight=1") == 0
    told = [row for row in rows(tmp_path / "run") if row["kind"] == "train"]
    assert [row["step"] for row in told] == [0, 1]
    kept = yaml.safe_load((tmp_path / "run/config.yaml").read_text())["distill"]
    assert kept["sha256"] == sha256(checkpoints(tmp_path / "teacher")[-1] / "weights.params")
    capsys.readouterr()
    assert train_videos("other", f"distill.teacher={teacher}", "distill.weight=1") == 2
    assert "(tiny_glore_0_1): its clips are none, the run's 8 frames" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["mix.mixup=1", "distill.teacher=x"])
def test_networks_of_pixels_are_neither_mixed_nor_taught(tmp_path, key, capsys):
    config = str(ROOT / "configs/camvid.yaml")
    assert cityscapes.main(["--config", config, "--out", str(tmp_path), "--set", key]) == 2
    section = key.split(".")[0]
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: unknown config key {section}, known: model, data, augment")


@needs_horovod
def test_two_ranks_learn_the_mixed_pictures_of_one_in_two_parts(tmp_path, recipe, teacher):
    """Each BatchNorm sees the same half of a step in both; a refused share ends all ranks."""
    taught = ["optim.epochs=1", f"distill.teacher={teacher}", "distill.weight=0.5"]
    small = [*recipe, *taught]
    assert train(tmp_path / "parts", [*small, "optim.accumulate=2"]) == 0
    done = train_in_turn(
        "train.imagenet",
        ["--config", CONFIG, "--out", str(tmp_path / "ranks"), *options(small)],
        ["--config", CONFIG, "--out", str(tmp_path / "odd"), *options(small), *ODD],
    )
    assert done.ended == [[0, 2]] * 2, done.stderr
    assert done.said[0].count("learns from distill.teacher") == 1
    assert done.said[1].count("by two: optim.batch_size 30 on 2 must be an even number") == 1
    losses = [
        [row["loss"] for row in rows(tmp_path / run) if row["kind"] == "train"]
        for run in ("ranks", "parts")
    ]
    assert len(losses[0]) == 6 and losses[0] == pytest.approx(losses[1], rel=1e-4)
