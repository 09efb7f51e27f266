"""A run with every key of today's recipe on goes on bit-equal, whatever else it does."""

import shutil

import pytest

from gluon_glore.weights.run_folder import checkpoints, position_of
from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.horovod import needs_horovod, train_in_turn
from tests.helpers.runs import CONFIG, ask, call_at, options, same, state, story, train
from train.engine.stop import STOPPED
from train.reporting.reporter import Reporter

VIEWS = ("augment.pad=4", "augment.rand_augment=2", "augment.erase=0.25")
MIX = ("mix.mixup=0.4", "mix.cutmix=1", "mix.share=0.8")
LOSS = ("optim.loss=bce", "optim.label_smoothing=0.1", "distill.weight=0.5")
UNITS = ("model.drop_path=0.2", "model.zero_init_residual=true")
UPDATE = ("optim.clip=1", "optim.ema=0.9", "optim.lr=0.001", "evaluate_every=2")
ADAPTIVE = ("optim.nesterov=false", "optim.decay_all=false")


@pytest.fixture(scope="module")
def recipe(settings, tmp_path_factory):
    """Two epochs of six steps with all keys on, those of a teacher's weights too."""
    teacher = tmp_path_factory.mktemp("teacher") / "run"
    assert train(teacher, [*settings, "model.name=tiny", "optim.epochs=1"]) == 0
    keys = (*VIEWS, *MIX, *LOSS, *UNITS, *UPDATE, *ADAPTIVE)
    return [*settings, *keys, "model.name=tiny_glore_0_1", f"distill.teacher={teacher}"]


@pytest.mark.parametrize(
    ("step", "more"),
    [
        (8, ["optim.optimizer=adamw", "optim.accumulate=2", "optim.recompute=1"]),
        pytest.param(3, ["optim.optimizer=lamb", "optim.precision=bfloat16"], marks=needs_bfloat16),
    ],
)
def test_a_run_with_all_keys_goes_on_bit_equal(tmp_path, recipe, step, more, monkeypatch):
    more = [*recipe, "optim.precise_norm=2", *more]
    assert train(tmp_path / "whole", more) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(step, ask))
        assert train(tmp_path / "parts", more) == STOPPED
    assert train(tmp_path / "parts", more, "--resume") == 0
    assert same(state(tmp_path / "parts"), state(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")
    told = [row["kind"] for row in story(tmp_path / "whole")]
    assert told == [*["train"] * 12, "eval"]


@needs_horovod
def test_two_ranks_with_all_keys_go_on_bit_equal(tmp_path, recipe):
    """Both runs save at the same steps, where they average the statistics over the ranks."""
    more = ["optim.optimizer=adamw", "optim.precise_norm=2", "checkpoint.every=4"]
    words = ["--config", CONFIG, *options([*recipe, *more, "checkpoint.keep=9"])]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
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
