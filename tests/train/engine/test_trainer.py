"""A task of another kind: labels pixel by pixel, trained through a graph that is not the network.

Classification's whole runs are in test_imagenet.py and test_resume.py.
"""

import dataclasses
import json
import os
import shutil
import signal
from dataclasses import dataclass, field

import mxnet as mx
import numpy as np
import pytest
import yaml
from mxnet.gluon import HybridBlock, nn

from gluon_glore.data.image import Preprocess
from gluon_glore.weights import load_arrays
from gluon_glore.weights.manifest import Manifest, parse_manifest
from gluon_glore.weights.run_folder import best_checkpoint, checkpoints
from train.config.checks import above_0
from train.config.optim import Optim
from train.config.sections import Checkpoint, Horovod, Model
from train.data import batches
from train.engine import trainer
from train.engine.comm import LocalComm
from train.engine.loop import Meter
from train.engine.pretrained import Start
from train.engine.step import make_step
from train.engine.stop import STOPPED
from train.report import main as report
from train.reporting import reporter
from train.reporting.metrics import SEGMENTATION
from train.reporting.reporter import Reporter


@dataclass(frozen=True)
class Data:
    samples: int = 24
    size: tuple = (6, 8)
    threads: int = 1
    max_bad: float = 0.0

    def check(self):
        above_0({"data.samples": self.samples})


@dataclass(frozen=True)
class Config:
    model: Model = field(default_factory=lambda: Model("tiny", classes=2))
    data: Data = field(default_factory=Data)
    optim: Optim = field(default_factory=lambda: Optim(epochs=3, batch_size=4, schedule="cosine"))
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    horovod: Horovod = field(default_factory=Horovod)
    seed: int = 0
    log_every: int = 1
    tensorboard: bool = False

    def check(self):
        above_0({"log_every": self.log_every})


class Noise:
    """Pictures of noise; a pixel is of class 1 where it is above 0."""

    path = "noise"

    def __init__(self, samples, size, seed):
        shape = (samples, 1, *size)
        self.pixels = np.random.RandomState(seed).normal(size=shape).astype("float32")

    def __len__(self):
        return len(self.pixels)

    def name(self, i):
        return f"picture {i}"

    def view(self, index, rng, out):
        out[:] = self.pixels[index] * rng.uniform(0.5, 1.5)
        return (self.pixels[index, 0] > 0).astype(np.uint8)


class Painter(HybridBlock):
    """Pixels -> logits; training sees those before the dropout too, as an auxiliary output."""

    def __init__(self):
        super().__init__(prefix="")
        self.first = nn.Conv2D(2, 1, in_channels=1, prefix="first_")
        self.dropout = nn.Dropout(0.1)
        self.last = nn.Conv2D(2, 1, in_channels=2, prefix="last_")

    def both(self, x):
        first = self.first(x)
        return self.last(self.dropout(first)), first

    def hybrid_forward(self, F, x):
        return self.both(x)[0]


class Both(HybridBlock):
    def __init__(self, net):
        super().__init__(prefix="")
        self.net = net

    def hybrid_forward(self, F, x):
        return self.net.both(x)


def pixel_loss(pair, y):
    losses = (-mx.nd.pick(mx.nd.log_softmax(z, axis=1), y, axis=1) for z in pair)
    return sum(loss.mean(axis=(1, 2)) for loss in losses)


class Pixels:
    prog, description = "pixels", "Is a pixel above 0?"
    config_class = Config
    metrics = SEGMENTATION
    scores = (0.5, 0.75, 0.25)  # of the epochs

    def prepare(self, config, comm):
        data = config.data
        return Painter(), [Noise(data.samples, data.size, seed) for seed in (0, 1)]

    def manifest(self, config, net):
        return Manifest(config.model.name, ("below", "above"), Preprocess((6, 8), 0, (0.0,)))

    def load_weights(self, config, net):
        for param in net.collect_params().values():
            param.set_data(mx.nd.full(param.shape, float(config.model.pretrained)))

    def make_step(self, config, net, comm):
        return make_step(config, net, comm, loss=pixel_loss, graph=Both(net))

    def training_batches(self, dataset, bad, config, epoch, rank, ranks, start):
        shape = (1, *config.data.size)
        return batches.training_batches(
            dataset, bad, dataset.view, shape, config, epoch, rank, ranks, start
        )

    def accuracy(self, logits, y):
        return (logits.argmax(axis=1) == y).mean(axis=(1, 2))

    def evaluate(self, net, dataset, bad, config, comm, ctx, stop):
        logits = net(mx.nd.array(dataset.pixels)).asnumpy()
        right = (logits.argmax(axis=1) == (dataset.pixels[:, 0] > 0)).mean()
        self.scores, score = (*self.scores[1:], self.scores[0]), self.scores[0]
        return Meter(0.5, len(dataset), 1.0, {"miou": score, "accuracy": right})


@pytest.fixture
def command(tmp_path):
    (tmp_path / "config.yaml").write_text("optim: {lr: 0.5, momentum: 0.9}")

    def command(out, *more):
        settings = [word for setting in more for word in ("--set", setting)]
        return ["--config", str(tmp_path / "config.yaml"), "--out", str(tmp_path / out), *settings]

    return command


def rows(run, kind):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["kind"] == kind]


def weights(run):
    folder = checkpoints(run)[-1]
    files = ("weights.params", "momentum.params")
    arrays = {(f, n): a for f in files for n, a in load_arrays(folder / f).items()}
    return {name: array.asnumpy() for name, array in arrays.items()}


def stop_at(step):
    """`Reporter.train` that asks for a stop after a step."""
    tell = Reporter.train

    def train(self, at, *rest):
        tell(self, at, *rest)
        if at == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return train


def test_what_a_task_measures_is_in_rows_summary_report_and_checkpoints(tmp_path, command, capsys):
    assert trainer.run(Pixels(), command("run")) == 0
    run = tmp_path / "run"
    trained, tested = rows(run, "train"), rows(run, "eval")
    assert [row["step"] for row in trained] == list(range(18))
    assert all(0 <= row["accuracy"] <= 1 and "top1" not in row for row in trained)
    assert trained[-1]["accuracy"] > 0.7  # through the graph the network itself has learned
    assert [row["miou"] for row in tested] == [0.5, 0.75, 0.25]
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["miou"], summary["best_miou"], summary["best_epoch"]) == (0.25, 0.75, 2)
    assert summary["best_accuracy"] == tested[1]["accuracy"]
    assert best_checkpoint(run).name == "epoch-0002"
    assert parse_manifest(checkpoints(run)[-1] / "manifest.yaml").score == 0.25
    assert yaml.safe_load((run / "config.yaml").read_text())["data"]["samples"] == 24
    assert "mean IoU 0.7500, pixel accuracy 0." in capsys.readouterr().err
    assert report([str(run)]) == 0
    assert "| mean IoU, best       | 75.00 % (epoch 2)" in capsys.readouterr().out


def test_a_run_that_is_stopped_goes_on_bit_equal_dropout_included(tmp_path, command, monkeypatch):
    assert trainer.run(Pixels(), command("whole")) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", stop_at(7))
        assert trainer.run(Pixels(), command("parts")) == STOPPED
    assert trainer.run(Pixels(), [*command("parts"), "--resume"]) == 0
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(np.array_equal(whole[name], parts[name]) for name in whole)
    assert [row["loss"] for row in rows(tmp_path / "parts", "train")] == [
        row["loss"] for row in rows(tmp_path / "whole", "train")
    ]


def test_a_run_of_iterations_ends_at_its_last_step_wherever_it_was_stopped(
    tmp_path, command, monkeypatch, capsys
):
    """14 steps are two epochs of six and a third of two: stopped within, at the end, not at all."""
    monkeypatch.setattr(reporter, "draw_curves", lambda *_: None)  # half of such a run's time
    more = ("optim.iterations=14", "optim.schedule=poly", "checkpoint.every=7")
    assert trainer.run(Pixels(), command("whole", *more)) == 0
    whole = tmp_path / "whole"
    assert "14 steps, 2.333 epochs of 6\n" in capsys.readouterr().err
    trained, tested = rows(whole, "train"), rows(whole, "eval")
    assert [row["step"] for row in trained] == list(range(14))
    assert [row["lr"] for row in trained] == [0.5 * (1 - i / 14) ** 0.9 for i in range(14)]
    assert [(row["epoch"], row["miou"]) for row in tested] == [(0, 0.5), (1, 0.75), (2, 0.25)]
    assert checkpoints(whole)[-1].name == "epoch-0002-step-000002"
    manifest = parse_manifest(checkpoints(whole)[-1] / "manifest.yaml")
    assert manifest.score == 0.25  # though saved before its evaluation too, as every 7th step
    summary = json.loads((whole / "summary.json").read_text())
    assert (summary["epochs"], summary["best_epoch"], summary["miou"]) == (3, 2, 0.25)
    assert report([str(whole)]) == 0
    assert "| 3, 14 of 14 steps " in capsys.readouterr().out

    for step, saved in ((8, "epoch-0001-step-000003"), (13, "epoch-0002-step-000002")):
        out = f"stopped-{step}"
        with monkeypatch.context() as patch:
            patch.setattr(Reporter, "train", stop_at(step))
            assert trainer.run(Pixels(), command(out, *more)) == STOPPED
        assert checkpoints(tmp_path / out)[-1].name == saved
        assert parse_manifest(checkpoints(tmp_path / out)[-1] / "manifest.yaml").score is None
        for _ in range(1 if step == 8 else 2):  # a finished run, too, ends as it was
            assert trainer.run(Pixels(), [*command(out, *more), "--resume"]) == 0
            parts, expected = weights(tmp_path / out), weights(whole)
            assert all(np.array_equal(parts[name], expected[name]) for name in expected)
            assert [row["loss"] for row in rows(tmp_path / out, "train")] == [
                row["loss"] for row in trained
            ]
            assert [row["epoch"] for row in rows(tmp_path / out, "eval")] == [0, 1, 2]
            assert checkpoints(tmp_path / out)[-1].name == "epoch-0002-step-000002"
            manifest = parse_manifest(checkpoints(tmp_path / out)[-1] / "manifest.yaml")
            assert manifest.score is not None


@dataclass(frozen=True)
class SeldomConfig(Config):
    evaluate_every: int = 1


class Seldom(Pixels):
    config_class = SeldomConfig


def scores(run):
    """The epochs that metrics.jsonl evaluates, and the scores of the checkpoints that are left."""
    manifests = [parse_manifest(folder / "manifest.yaml") for folder in checkpoints(run)]
    epochs = [row["epoch"] for row in rows(run, "eval")]
    return epochs, {(m.epoch, m.step): m.score for m in manifests}


@pytest.mark.parametrize(
    ("setting", "evaluated", "kept"),
    [
        ("evaluate_every=2", [1, 3, 4], {(2, 0): 0.5, (4, 0): 0.5, (5, 0): 0.25}),
        ("evaluate_every=4", [3, 4], {(4, 0): 0.5, (5, 0): 0.75}),
        ("evaluate_every=0", [4], {(4, 0): None, (5, 0): 0.5}),
        ("evaluate_every=9", [4], {(4, 0): None, (5, 0): 0.5}),
    ],
)
def test_only_some_epochs_are_evaluated_and_the_last_one_always(
    tmp_path, command, setting, evaluated, kept, capsys
):
    class Twice(Seldom):
        scores = (0.5, 0.5, 0.25) if setting.endswith("2") else Pixels.scores

    more = (setting, "optim.epochs=5")
    assert trainer.run(Twice(), command("run", *more)) == 0
    run = tmp_path / "run"
    assert scores(run) == (evaluated, kept)
    best = max(kept, key=lambda place: kept[place] or 0)  # the first of equals
    assert json.loads((run / "summary.json").read_text())["best_epoch"] == best[0]
    assert best_checkpoint(run).name == f"epoch-{best[0]:04d}"
    assert [row["step"] for row in rows(run, "train")] == list(range(30))
    assert report([str(run)]) == 0
    before = weights(run)
    assert trainer.run(Twice(), [*command("run", *more), "--resume"]) == 0  # as it was
    assert scores(run)[0] == evaluated
    assert all(np.array_equal(before[name], array) for name, array in weights(run).items())


def test_when_it_is_evaluated_changes_no_weight_and_a_resumed_run_may_change_it(
    tmp_path, command, monkeypatch
):
    assert trainer.run(Pixels(), command("often")) == 0
    for step in (5, 8):  # at the end of an epoch that is not evaluated, and within one
        out = f"seldom-{step}"
        with monkeypatch.context() as patch:
            patch.setattr(Reporter, "train", stop_at(step))
            assert trainer.run(Seldom(), command(out, "evaluate_every=0")) == STOPPED
        assert rows(tmp_path / out, "eval") == []
        assert trainer.run(Seldom(), [*command(out, "evaluate_every=2"), "--resume"]) == 0
        assert scores(tmp_path / out) == ([1, 2], {(2, 0): 0.5, (3, 0): 0.75})
        often, seldom = weights(tmp_path / "often"), weights(tmp_path / out)
        assert all(np.array_equal(often[name], seldom[name]) for name in often)


def test_a_run_that_ends_early_has_the_score_of_its_last_epoch(tmp_path, command, monkeypatch):
    more = ("evaluate_every=0", "optim.epochs=4")
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", stop_at(12))
        assert trainer.run(Seldom(), command("run", *more)) == STOPPED
    shutil.rmtree(checkpoints(tmp_path / "run")[-1])  # that within an epoch
    words = [*command("run", "evaluate_every=0", "optim.epochs=2"), "--resume", "--accept-changes"]
    assert trainer.run(Seldom(), words) == 0
    assert scores(tmp_path / "run")[1][2, 0] == 0.5
    assert best_checkpoint(tmp_path / "run").name == "epoch-0002"


def test_a_run_of_iterations_says_where_its_rate_falls():
    optim = Optim(iterations=80000, steps=(60000, 70000))
    assert trainer.schedule(optim, 3000) == (
        "80000 steps, 26.67 epochs of 3000, the rate falls at steps 60000, 70000"
    )
    assert trainer.schedule(dataclasses.replace(optim, schedule="poly"), 8).endswith("epochs of 8")


def test_the_task_gives_the_weights_to_start_from(tmp_path, command):
    more = ("optim.epochs=1", "optim.lr_mult={.: 0}", "model.pretrained='0.25'")
    assert trainer.run(Pixels(), command("run", *more)) == 0
    saved = load_arrays(checkpoints(tmp_path / "run")[-1] / "weights.params")
    assert all((array.asnumpy() == 0.25).all() for array in saved.values())


def test_what_is_new_is_said_once_and_has_its_own_rate_also_when_resumed(tmp_path, command, capsys):
    class Tuned(Pixels):
        def load_weights(self, config, net):
            super().load_weights(config, net)
            self.net = net
            return Start(("last_weight", "last_bias"), ("starts from here; new: last",))

    def train(task, *more):
        settings = ("optim.epochs=1", "optim.new_mult=3", "model.pretrained='0.25'")
        assert trainer.run(task, [*command("run", *settings), *more]) == 0
        rates = {name: param.lr_mult for name, param in task.net.collect_params().items()}
        assert rates == {"first_weight": 1, "first_bias": 1, "last_weight": 3, "last_bias": 3}
        return capsys.readouterr().err.count("starts from here; new: last\n")

    assert train(Tuned()) == 1
    assert train(Tuned(), "--resume") == 0  # from its own checkpoint


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("optim.new_mult=3", "optim.new_mult 3 is for layers that model.pretrained lacks, given"),
        ("optim.new_mult=0", "config key optim.new_mult must be above 0, given 0"),
        ("data.samples=0", "config key data.samples must be above 0, given 0"),
        ("data.samples=3", "3 training pictures do not fill one batch of 4"),
        ("data.val=x", "unknown config key data.val, known: samples, size, threads, max_bad"),
        ("augment.area=1", "unknown config key augment, known: model, data, optim, checkpoint"),
        ("optim.momentum=2", "config key optim.momentum must be from 0 to below 1, given 2"),
        ("log_every=0", "config key log_every must be above 0, given 0"),
        ("optim.recompute=1", "config key optim.recompute is for classification networks, use 0"),
        ("optim.label_smoothing=0.1", "optim.label_smoothing is for classification networks"),
    ],
)
def test_what_does_not_fit_is_one_error_and_exit_2(tmp_path, command, setting, message, capsys):
    assert trainer.run(Pixels(), command("run", setting)) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ") and message in error
    assert not checkpoints(tmp_path / "run")


def test_an_evaluation_that_missed_a_sample_is_an_error(tmp_path):
    class Blind(Pixels):
        def evaluate(self, net, dataset, *rest):
            meter = super().evaluate(net, dataset, *rest)
            return dataclasses.replace(meter, samples=meter.samples - 1)

    config = Config(optim=Optim(epochs=1, batch_size=4))
    net, datasets = Blind().prepare(config, LocalComm())
    with pytest.raises(RuntimeError, match="evaluated 23 of 24 samples"):
        trainer.train(Blind(), config, net, datasets, tmp_path, False, LocalComm())
