import dataclasses
import json

import pytest

from gluon_glore import InputError
from tests.helpers.events import read_events
from tests.helpers.places import ROOT
from train.config.load import load_config
from train.engine.comm import LocalComm
from train.engine.loop import Meter
from train.reporting.reporter import Reporter

STEPS = 2  # an epoch


@pytest.fixture
def config(settings):
    return load_config(ROOT / "configs/digit_pairs.yaml", [*settings, "tensorboard=true"])


def rows(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def report(reporter, first=0, last=2 * STEPS):
    """Tell a reporter of some steps, with an evaluation at the end of each epoch."""
    for step, _ in enumerate(reporter.watch(range(first, last)), start=first):
        reporter.train(step, 0.5, Meter(1.0 / (step + 1), 32, 0.5, {"top1": 0.25}))
        if (step + 1) % STEPS == 0:
            epoch = step // STEPS
            figures = {"top1": 0.75 - epoch / 4, "top5": 0.875}
            reporter.evaluation(epoch, Meter(0.5, 70, 0.25, figures))


def test_the_rows_the_configuration_and_the_scalars_are_written(tmp_path, config):
    with Reporter(tmp_path, LocalComm(), config, STEPS) as reporter:
        report(reporter)
    assert load_config(tmp_path / "config.yaml") == config
    written = rows(tmp_path)
    assert [(r["kind"], r["epoch"], r.get("step")) for r in written] == [
        ("train", 0, 0),
        ("train", 0, 1),
        ("eval", 0, None),
        ("train", 1, 2),
        ("train", 1, 3),
        ("eval", 1, None),
    ]
    assert all(0 <= r["waiting"] < 0.5 for r in written if r["kind"] == "train")
    _, start, *events = read_events(tmp_path / "tensorboard")
    assert start.step == 0
    assert [event.step for event in events] == [0, 1, 1, 2, 3, 3]
    for event, row in zip(events, written):
        scalars = {value.tag: value.simple_value for value in event.summary.value}
        left_out = {"kind", "epoch", "step", "samples", "seconds"}
        assert scalars == {
            f"{row['kind']}/{key}": pytest.approx(value)
            for key, value in row.items()
            if key not in left_out
        }


def test_the_evaluation_of_a_run_that_ends_within_an_epoch_is_at_its_last_step(tmp_path, config):
    optim = dataclasses.replace(config.optim, iterations=3, schedule="poly")
    config = dataclasses.replace(config, optim=optim)
    with Reporter(tmp_path, LocalComm(), config, STEPS) as reporter:
        report(reporter, last=3)
        reporter.evaluation(1, Meter(0.5, 70, 0.25, {"top1": 0.5}))
    _, _, *events = read_events(tmp_path / "tensorboard")
    assert [event.step for event in events] == [0, 1, 1, 2, 2]


def test_the_summary_covers_the_whole_of_a_resumed_run(tmp_path, config, capsys):
    with Reporter(tmp_path, LocalComm(), config, STEPS) as reporter:
        report(reporter, last=STEPS)
    with Reporter(tmp_path, LocalComm(), config, STEPS, first_step=STEPS) as reporter:
        report(reporter, first=STEPS)
        reporter.finish()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["top1"], summary["best_top1"], summary["best_epoch"]) == (0.5, 0.75, 1)
    assert (summary["top5"], summary["seconds"]) == (0.875, 4 * 0.5 + 2 * 0.25)
    assert summary["images_per_second"] == 64
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    table = capsys.readouterr().out
    assert "75.00 % (epoch 1)" in table and "2 of 2" in table


def test_a_run_that_starts_anew_leaves_no_rows_of_the_one_before(tmp_path, config):
    for last in (3, 1):
        with Reporter(tmp_path, LocalComm(), config, STEPS) as reporter:
            report(reporter, last=last)
    assert len(rows(tmp_path)) == 1


def test_other_ranks_write_and_print_nothing(tmp_path, config, capsys):
    class RankOne(LocalComm):
        rank, size = 1, 2

    with Reporter(tmp_path, RankOne(), config, STEPS) as reporter:
        report(reporter)
        reporter.finish()
    assert not list(tmp_path.iterdir())
    assert capsys.readouterr() == ("", "")


def test_a_disk_that_fills_up_is_an_error_that_names_the_run(mount, config):
    place = mount("size=1m")
    with Reporter(place, LocalComm(), config, STEPS) as reporter:
        with open(place / "other", "wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(bytes(4096))
        with pytest.raises(InputError, match="mount.*: No space left on device"):
            report(reporter, last=1000)
