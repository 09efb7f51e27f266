"""Damaged records in real files, read by one process and by two."""

import dataclasses
import json

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.records import RecordDataset
from tests.helpers.damaged_records import (
    BAD,
    SAMPLES,
    TESTED,
    TRAINED,
    break_heads,
    count_bad,
    write_damaged,
)
from tests.helpers.horovod import needs_horovod, train_in_turn
from tests.helpers.runs import CONFIG, options, rows, train
from train.config.load import load_config
from train.data import pictures as pipeline


@pytest.fixture
def config(settings):
    return load_config(CONFIG, settings)


@pytest.fixture
def damaged(tmp_path):
    return write_damaged(tmp_path / "damaged.rec")


@pytest.fixture
def on_damaged(settings, damaged):
    return [*settings, f"data.train={damaged}", f"data.val={damaged}"]


class Watched(RecordDataset):
    """A data set that notes in `read` which of its records were read."""

    def __init__(self, path, classes):
        super().__init__(path, classes)
        self.read = []

    def __getitem__(self, i):
        self.read.append(i)
        return super().__getitem__(i)


def open_set(path, max_bad, **options):
    """A data set, and the count of its bad records."""
    dataset = Watched(path, classes=2)
    return dataset, count_bad(dataset, max_bad, **options)


def greys(pictures, config):
    return list(np.round(pictures[:, 0, 0, 0] / config.data.scale + config.data.mean[0]))


def test_the_next_good_record_of_the_order_stands_in_for_a_bad_one(damaged, config):
    dataset, bad = open_set(damaged, 0.01)
    batches = list(pipeline.training_batches(dataset, bad, config, 0, 0, 1))
    assert [len(labels) for _, labels in batches] == [32] * 9
    order = np.random.default_rng([config.seed, 0]).permutation(SAMPLES)
    stand_in = {i: next(int(j) for j in order[list(order).index(i) :] if j not in BAD) for i in BAD}
    expected = [stand_in.get(int(i), int(i)) for i in order[:TRAINED]]
    seen = [grey for pictures, _ in batches for grey in greys(pictures, config)]
    assert seen == [i % 256 for i in expected]
    assert [y for _, labels in batches for y in labels] == [i % 2 for i in expected]
    assert bad.known == set(BAD) & set(order[:TRAINED])


def test_steps_are_the_same_for_two_ranks_though_one_of_them_meets_the_bad(damaged, config):
    whole = list(pipeline.training_batches(*open_set(damaged, 0.01), config, 0, 0, 1))
    parts = [
        list(pipeline.training_batches(*open_set(damaged, 0.01), config, 0, rank, 2))
        for rank in (0, 1)
    ]
    assert len(whole) == len(parts[0]) == len(parts[1])
    for (pictures, _), *halves in zip(whole, *parts):
        assert np.array_equal(pictures, np.concatenate([half for half, _ in halves]))


def test_known_records_are_read_no_more_and_change_nothing(damaged, config):
    dataset, bad = open_set(damaged, 0.01)
    first = list(pipeline.training_batches(dataset, bad, config, 0, 0, 1))
    list(pipeline.evaluation_batches(dataset, bad, config, 0, 1))
    assert bad.known == set(BAD) < set(dataset.read)
    dataset.read.clear()
    list(pipeline.evaluation_batches(dataset, bad, config, 0, 1))
    again = list(pipeline.training_batches(dataset, bad, config, 0, 0, 1))
    assert dataset.read and not set(BAD) & set(dataset.read)
    assert all(np.array_equal(a, b) for (a, _), (b, _) in zip(first, again))


@pytest.mark.parametrize("ranks", [1, 2])
def test_evaluation_leaves_exactly_the_bad_ones_out(damaged, config, ranks):
    seen = []
    for rank in range(ranks):
        for pictures, labels in pipeline.evaluation_batches(
            *open_set(damaged, 0.01), config, rank, ranks
        ):
            assert len(pictures) == len(labels) > 0
            seen += greys(pictures, config)
    assert sorted(seen) == sorted(i % 256 for i in range(SAMPLES) if i not in BAD)


def test_each_is_named_once_on_stderr_and_in_the_file(damaged, config, tmp_path, capsys):
    for _ in range(2):  # the second is a resumed run
        dataset, bad = open_set(damaged, 0.01, log=tmp_path / "run" / "bad_records.txt")
        for _ in range(2):
            list(pipeline.evaluation_batches(dataset, bad, config, 0, 1))
        errors = capsys.readouterr().err.splitlines()
        assert [line for line in errors if line.startswith("skipped ")] == [
            f"skipped {damaged} record 7: not a readable picture",
            f"skipped {damaged} record 150: not a readable picture",
            f"skipped {damaged} record 299: not a readable picture",
        ]
    lines = (tmp_path / "run" / "bad_records.txt").read_text().splitlines()
    assert len(lines) == 3 and lines[1] == f"{damaged} record 150: not a readable picture"


def test_one_more_than_the_share_is_an_error(tmp_path, config):
    path = write_damaged(tmp_path / "damaged.rec", bad=(*BAD, 30))
    message = r"more than 3 of 300 records are bad \(data\.max_bad 0\.01\), as .* record 7: not"
    with pytest.raises(InputError, match=message):
        list(pipeline.evaluation_batches(*open_set(path, 0.01), config, 0, 1))
    whole = dataclasses.replace(config, optim=dataclasses.replace(config.optim, batch_size=300))
    with pytest.raises(InputError, match="more than 3 of 300"):
        list(pipeline.training_batches(*open_set(path, 0.01), whole, 0, 0, 1))


def test_a_set_without_a_good_record_ends_at_once(tmp_path, config):
    path = write_damaged(tmp_path / "damaged.rec", bad=range(SAMPLES))
    dataset, bad = open_set(path, 0.9)
    with pytest.raises(InputError, match="more than 270 of 300 records are bad"):
        next(pipeline.training_batches(dataset, bad, config, 0, 0, 1))
    assert len(dataset.read) < 2 * SAMPLES  # not the whole set for each picture of a batch


def test_damage_to_the_container_costs_that_record_only(damaged, config):
    lines = damaged.with_suffix(".idx").read_text().splitlines()
    index = dict(map(int, line.split()) for line in lines)
    break_heads(damaged, 40)
    with open(damaged, "r+b") as file:
        file.seek(index[41] + 4)
        file.write(b"\xff\xff\xff\x1f")  # its length
    dataset, bad = open_set(damaged, 0.02)
    list(pipeline.evaluation_batches(dataset, bad, config, 0, 1))
    assert bad.known == {*BAD, 40, 41}


def test_a_run_on_one_per_cent_bad_records_counts_exactly(tmp_path, on_damaged, capsys):
    assert train(tmp_path / "run", on_damaged, "--set", "optim.epochs=1") == 0
    metrics = rows(tmp_path / "run")
    assert [row["samples"] for row in metrics if row["kind"] == "eval"] == [TESTED]
    assert len([row for row in metrics if row["kind"] == "train"]) == 9
    assert "evaluated 297 of 300 samples, 3 are bad" in capsys.readouterr().err
    assert len((tmp_path / "run" / "bad_records.txt").read_text().splitlines()) == 3


@needs_horovod
def test_two_processes_agree_on_the_bad_records_and_end_together_above_the_share(
    tmp_path, on_damaged
):
    test_set = f"data.val={write_damaged(tmp_path / 'test.rec')}"
    command = ["--config", CONFIG, *options(on_damaged, test_set, "model.name=tiny")]
    over = ["--set", "data.max_bad=0.005", "--out", str(tmp_path / "over")]
    done = train_in_turn(
        "train.imagenet", [*command, "--out", str(tmp_path / "run")], [*command, *over]
    )
    assert done.ended == [[0, 2]] * 2, done.stderr
    assert [row["samples"] for row in rows(tmp_path / "run") if row["kind"] == "eval"] == [297] * 2
    named = (tmp_path / "run" / "bad_records.txt").read_text().splitlines()
    assert len([line for line in named if "test.rec record" in line]) == 3
    assert len([line for line in named if "damaged.rec record" in line]) == 3
    assert all("not a readable picture" in line for line in named)
    assert done.said[0].count("skipped ") == 6
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["processes"] == 2

    assert done.returncode != 0
    assert done.stderr.count("error: ") == 1
    assert "more than 1 of 300 records are bad (data.max_bad 0.005)" in done.said[1]
    assert "train/imagenet.py" not in done.stderr  # no traceback of ours
    assert not (tmp_path / "over" / "checkpoints").exists()
