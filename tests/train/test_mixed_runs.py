"""Whole runs of mixed pictures: stopped and resumed, on two ranks, and what they refuse."""

import pytest

from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.runs import ask, call_at, rows, same, story, train, weights, with_dropout
from train.engine import pretrained
from train.engine.stop import STOPPED
from train.reporting.reporter import Reporter


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


@pytest.mark.parametrize(
    ("step", "more"),
    [
        (2, []),
        (8, ["optim.precise_norm=2", "optim.accumulate=2", "optim.recompute=1"]),
        pytest.param(8, ["optim.precision=bfloat16"], marks=needs_bfloat16),
    ],
)
def test_a_run_of_mixed_pictures_goes_on_bit_equal(tmp_path, small, step, more, monkeypatch):
    small = [*small, *more]
    assert train(tmp_path / "whole", small) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(step, ask))
        assert train(tmp_path / "parts", small) == STOPPED
    assert train(tmp_path / "parts", small, "--resume") == 0
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")
    told = [row for row in rows(tmp_path / "whole") if row["kind"] == "train"]
    assert len(told) == 12 and all(0 <= row["top1"] <= 1 for row in told)


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
