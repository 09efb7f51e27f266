"""Whole runs that are stopped, killed or run out of disk, and what they leave."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gluon_glore.data.records import write_records
from gluon_glore.model_zoo.load import load_network
from gluon_glore.weights.run_folder import checkpoints, newest_checkpoint
from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.horovod import HOROVODRUN, needs_horovod
from tests.helpers.places import ROOT
from tests.helpers.runs import (
    CONFIG,
    ask,
    call_at,
    crash,
    options,
    rows,
    same,
    story,
    train,
    weights,
    with_dropout,
)
from train.config.load import load_config
from train.digit_pairs import encode_png
from train.engine import pretrained
from train.engine.stop import STOPPED
from train.reporting.reporter import Reporter


@pytest.fixture
def small(settings, monkeypatch):
    """Two epochs of six steps of a network with dropout."""
    monkeypatch.setattr(pretrained, "model_spec", with_dropout)
    return [*settings, "model.name=tiny"]


@pytest.mark.parametrize(
    ("step", "saved", "precision"),
    [
        (2, "epoch-0000-step-000003", "float32"),
        (5, "epoch-0000-step-000006", "float32"),  # the boundary: trained, not yet evaluated
        (8, "epoch-0001-step-000003", "float32"),
        pytest.param(8, "epoch-0001-step-000003", "bfloat16", marks=needs_bfloat16),
    ],
)
def test_a_run_stopped_after_any_step_goes_on_bit_equal(
    tmp_path, small, step, saved, precision, monkeypatch, capsys
):
    small = [*small, f"optim.precision={precision}"]
    assert train(tmp_path / "whole", small) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(step, ask))
        assert train(tmp_path / "parts", small) == STOPPED
    assert checkpoints(tmp_path / "parts")[-1].name == saved
    assert "stopped: " in capsys.readouterr().err
    net, manifest = load_network(tmp_path / "parts")  # as export and predict take it
    assert net.spec.dropout == 0.5  # so that bit-equal means random numbers too
    assert (manifest.epoch * 6 + manifest.step, manifest.score) == (step + 1, None)
    assert train(tmp_path / "parts", small, "--resume") == 0
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")


UPDATES = ["model.drop_path=0.3", "optim.clip=0.5"]
ADAM = ["optim.lr=0.002", "optim.weight_decay=0.05", "optim.decay_all=false"]
PRECISE = "optim.precise_norm=2"


@pytest.mark.parametrize(
    "keys",
    [
        ["optim.optimizer=adamw", *ADAM, "model.zero_init_residual=true", PRECISE],
        ["optim.optimizer=lamb", *ADAM, "optim.accumulate=2", "optim.recompute=2", PRECISE],
        pytest.param(
            ["optim.nesterov=true", "optim.precision=bfloat16", "optim.recompute=1"],
            marks=needs_bfloat16,
        ),
    ],
    ids=lambda keys: keys[0].partition("=")[2],
)
def test_a_run_of_other_updates_goes_on_bit_equal(tmp_path, small, keys, monkeypatch):
    """Within an epoch and at its end: means and their correction, masks, clipped gradients."""
    small = [*small, *UPDATES, *keys]
    assert train(tmp_path / "whole", small) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(2, ask))
        assert train(tmp_path / "parts", small) == STOPPED
        patch.undo()
        patch.setattr(Reporter, "train", call_at(5, ask))
        assert train(tmp_path / "parts", small, "--resume") == STOPPED
    names = [path.name for path in checkpoints(tmp_path / "parts")]
    assert names == ["epoch-0000-step-000003", "epoch-0000-step-000006"]
    assert train(tmp_path / "parts", small, "--resume") == 0
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")


def test_another_optimizer_is_refused_and_has_no_use_for_the_momentum(tmp_path, small, capsys):
    assert train(tmp_path, [*small, "optim.epochs=1"]) == 0
    adam = [*small, "optim.optimizer=adamw"]
    assert train(tmp_path, adam, "--resume") == 2
    assert "had other values of optim.epochs, optim.optimizer" in capsys.readouterr().err
    assert train(tmp_path, adam, "--resume", "--accept-changes") == 2
    assert "momentum of another optimizer, see " in capsys.readouterr().err


def test_a_run_that_dies_loses_the_steps_since_the_last_save_alone(tmp_path, small, monkeypatch):
    small = [*small, "checkpoint.every=4"]
    assert train(tmp_path / "whole", small) == 0
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(10, crash))
        assert train(tmp_path / "parts", small) == 130
    assert [path.name for path in checkpoints(tmp_path / "parts")] == [
        "epoch-0001",
        "epoch-0001-step-000002",
    ]
    assert story(tmp_path / "parts")[-1]["step"] == 10
    assert train(tmp_path / "parts", small, "--resume") == 0
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))
    assert story(tmp_path / "parts") == story(tmp_path / "whole")


def test_a_stop_within_an_evaluation_repeats_the_evaluation(tmp_path, small, monkeypatch):
    from train.data import pictures

    def ask_amid(*arguments, **options):
        for batch in original(*arguments, **options):
            yield batch
            ask()

    original = pictures.evaluation_batches
    assert train(tmp_path / "whole", small) == 0
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "evaluation_batches", ask_amid)
        assert train(tmp_path / "parts", small) == STOPPED
    assert [path.name for path in checkpoints(tmp_path / "parts")] == ["epoch-0000-step-000006"]
    assert train(tmp_path / "parts", small, "--resume") == 0
    assert story(tmp_path / "parts") == story(tmp_path / "whole")
    assert same(weights(tmp_path / "parts"), weights(tmp_path / "whole"))


def test_a_finished_run_tells_its_evaluation_once(tmp_path, small):
    assert train(tmp_path, small) == 0
    before = story(tmp_path)
    assert train(tmp_path, small, "--resume") == 0
    assert story(tmp_path) == before
    assert train(tmp_path, small, "--resume", "--accept-changes", "--set", "optim.epochs=1") == 0
    assert story(tmp_path) == before


def test_a_stopped_epoch_does_not_go_on_with_another_batch_size(
    tmp_path, small, monkeypatch, capsys
):
    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(1, ask))
        assert train(tmp_path, small) == STOPPED
    changed = [*small, "optim.batch_size=16"]
    assert train(tmp_path, changed, "--resume", "--accept-changes") == 2
    assert "lies within an epoch of seed 0, pictures 192, batch_size 32" in capsys.readouterr().err


def test_a_changed_recipe_needs_a_word_and_the_old_configuration_stays(tmp_path, small, capsys):
    assert train(tmp_path, [*small, "optim.epochs=1"]) == 0
    before = {path: path.read_bytes() for path in tmp_path.glob("*.*")}
    config, held = (tmp_path / "config.yaml").read_text(), set(tmp_path.rglob("*"))
    capsys.readouterr()

    changed = [*small, "optim.lr=0.2", "data.mean=[99]", "seed=3", "log_every=2"]
    assert train(tmp_path, changed, "--resume") == 2
    said = capsys.readouterr().err.splitlines()
    assert said[:-1] == [
        f"{tmp_path}: changes of its config.yaml:",
        "  data.mean: [22.0] -> [99.0]",
        "  optim.epochs: 1 -> 2",
        "  optim.lr: 0.1 -> 0.2",
        "  seed: 0 -> 3",
        "  log_every: 1 -> 2 (of no effect on what is computed)",
    ]
    assert said[-1].startswith(f"error: {tmp_path}: its run had other values of data.mean, optim.")
    assert "log_every" not in said[-1] and said[-1].endswith("or add --accept-changes")
    assert {path: path.read_bytes() for path in before} == before
    assert set(tmp_path.rglob("*")) == held

    assert train(tmp_path, changed, "--resume", "--accept-changes") == 0
    assert "  optim.lr: 0.1 -> 0.2\n" in capsys.readouterr().err
    kept = (tmp_path / "config-0001.yaml").read_text()
    assert kept == "# The run's configuration up to epoch-0001.\n" + config
    assert load_config(tmp_path / "config.yaml").optim.lr == 0.2
    assert [row["step"] for row in rows(tmp_path) if row["kind"] == "train"] == [
        *range(6),
        *(7, 9, 11),
    ]


def test_a_second_run_in_a_folder_is_refused_while_the_first_goes_on(
    tmp_path, small, monkeypatch, capsys
):
    codes = []

    def again():
        with monkeypatch.context() as patch:
            patch.setattr(Reporter, "train", tell)
            codes.extend(train(tmp_path, small, *more) for more in ((), ("--resume",)))

    tell, small = Reporter.train, [*small, "optim.epochs=1", "checkpoint.every=2"]
    monkeypatch.setattr(Reporter, "train", call_at(3, again))
    assert train(tmp_path, small) == 0
    assert codes == [2, 2]
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 2
    assert all(f"another run goes on in it, process {os.getpid()} on " in e for e in errors)
    assert [row["step"] for row in rows(tmp_path) if row["kind"] == "train"] == list(range(6))


def test_a_folder_that_cannot_be_written_ends_the_run_before_it_trains(tmp_path, small, capsys):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file" / "run"):
        assert train(out, small) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {tmp_path / 'file'}") and error.count("\n") == 1


def test_a_disk_that_fills_is_an_error_and_the_checkpoint_before_stays(
    mount, small, monkeypatch, capsys
):
    disk = mount("size=24m")

    def fill():
        with contextlib.suppress(OSError), open(disk / "other", "wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))

    with monkeypatch.context() as patch:
        patch.setattr(Reporter, "train", call_at(7, fill))  # in the second of two epochs
        assert train(disk / "run", small) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert "could not be written, " in errors[0] or "No space left on device" in errors[0]
    folder, manifest = newest_checkpoint(disk / "run", pytest.fail)
    assert (folder.name, manifest.epoch) == ("epoch-0001", 1)
    assert list(folder.parent.iterdir()) == [folder]
    (disk / "other").unlink()
    assert train(disk / "run", small, "--resume") == 0


# A rank that says its process, and of each of its trainings the exit code and the newest
# checkpoint. In the first of them it does something to itself on the way.
RANK = """
import json, os, sys
import train
from tests.helpers.ranks import share_horovod
from tests.helpers.runs import ask, call_at, with_dropout
from gluon_glore.weights.run_folder import checkpoints
from train import imagenet
from train.engine import pretrained
from train.reporting.reporter import Reporter
leave = share_horovod()
pretrained.model_spec = with_dropout
out, who, step, number, command_lines = sys.argv[1:]
rank = os.environ["HOROVOD_RANK"]
open(f"{out}-{rank}.pid", "w").write(str(os.getpid()))
tell = Reporter.train
if rank == who:
    Reporter.train = call_at(int(step), lambda: ask(int(number)))
codes, saved = [], []
for words in json.loads(command_lines):
    codes.append(imagenet.main(words))
    saved.append(checkpoints(words[1])[-1].name)
    Reporter.train = tell
    open(f"{out}-{rank}.codes", "w").write(json.dumps(codes))
    open(f"{out}-{rank}.saved", "w").write(json.dumps(saved))
leave()
sys.exit(codes[-1])
"""


class Ranks:
    """Two ranks that train in `out`; rank `who` sends itself a signal after a step.

    Then they train once more for each of `more`, (folder, further options), in the same processes.
    """

    def __init__(self, out, settings, *words, who="none", step=0, number=0, more=()):
        self.out = out
        for file in out.parent.glob(f"{out.name}-*"):
            file.unlink()
        lines = [
            ["--out", str(folder), "--config", CONFIG, *options(settings), *words]
            for folder, words in ((out, words), *more)
        ]
        self.process = subprocess.Popen(
            [*HOROVODRUN, "-np", "2", sys.executable, "-c", RANK]
            + [str(out), who, str(step), str(int(number)), json.dumps(lines)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self):
        """Wait for the ranks; returns the exit codes of their trainings, None of one killed."""
        self.error = self.process.communicate(timeout=180)[1]  # far below horovod.stall_seconds
        for pid in self.read("pid"):
            assert not os.path.exists(f"/proc/{pid}"), "an orphan"
        return self.read("codes")

    def read(self, what):
        files = [self.out.with_name(f"{self.out.name}-{rank}.{what}") for rank in (0, 1)]
        return [json.loads(file.read_text()) if file.exists() else None for file in files]


@pytest.fixture
def uneven(tmp_path, settings):
    """65 pictures, three epochs of four steps: one left over, and rank 0 evaluates one more."""
    rng = np.random.RandomState(0)
    pictures = [encode_png(rng.randint(0, 255, (64, 64)).astype(np.uint8)) for _ in range(65)]
    write_records(tmp_path / "set.rec", ((p, i % 2) for i, p in enumerate(pictures)))
    path = tmp_path / "set.rec"
    more = ["optim.epochs=3", "optim.batch_size=16", "checkpoint.every=4"]
    return [*settings, "model.name=tiny", f"data.train={path}", f"data.val={path}", *more]


@needs_horovod
def test_two_ranks_stop_at_one_step_or_die_and_go_on_as_the_whole_run(tmp_path, uneven):
    """Parameters and momentum to the bit.

    BatchNorm's statistics are each rank's own and averaged at a save, which the whole run has none
    of here: the same numbers are added in another order.
    """
    stopped, killed = tmp_path / "stopped", tmp_path / "killed"
    ranks = Ranks(
        stopped,
        uneven,
        who="1",
        step=6,
        number=signal.SIGTERM,
        more=[(tmp_path / "whole", ()), (stopped, ("--resume",))],
    )
    assert ranks.end() == [[STOPPED, 0, 0]] * 2, ranks.error
    assert ranks.read("saved")[0] == ["epoch-0001-step-000003", "epoch-0003", "epoch-0003"]
    assert [row["samples"] for row in rows(tmp_path / "whole") if row["kind"] == "eval"] == [65] * 3
    assert load_network(tmp_path / "whole")[0].spec.dropout == 0.5

    first = Ranks(killed, uneven, who="1", step=6, number=signal.SIGKILL)
    assert [0] not in first.end() and first.process.returncode != 0
    again = Ranks(killed, uneven, "--resume")
    assert again.end() == [[0]] * 2, again.error

    expected = weights(tmp_path / "whole")
    for out in (stopped, killed):
        steps = [row["step"] for row in rows(out) if row["kind"] == "train"]
        assert steps == list(range(12))
        for name, values in weights(out).items():
            if "running_" in name:
                assert np.abs(values - expected[name]).max() <= 1e-6 * np.abs(expected[name]).max()
            else:
                assert np.array_equal(values, expected[name]), name


@needs_horovod
def test_horovodrun_passes_its_sigterm_on_and_all_ranks_save_in_time(tmp_path, uneven):
    """It kills five seconds later: a rank that was too slow has no exit code."""
    ranks = Ranks(tmp_path / "run", [*uneven, "optim.epochs=1000", "checkpoint.every=0"])
    while not checkpoints(tmp_path / "run"):
        assert ranks.process.poll() is None, ranks.end()
        time.sleep(0.05)
    ranks.process.terminate()
    assert ranks.end() == [[STOPPED]] * 2, ranks.error
    told = [row["step"] for row in rows(tmp_path / "run") if row["kind"] == "train"]
    _, manifest = newest_checkpoint(tmp_path / "run", pytest.fail)
    assert manifest.epoch * 4 + manifest.step == told[-1] + 1
