import csv

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from tests.helpers.damaged_records import count_bad
from tests.helpers.threads import Ranks
from train.data.bad_records import BadRecords
from train.engine import loop
from train.engine.comm import LocalComm
from train.engine.predictions import Keeper, Predictions, write_predictions

NAMES = ["ant", "bee, honey", 'the "cat"', "dog", "Käfer", "fox", "gnu"]


class Samples:
    """Sample i: the logits of seven classes, label i % 7; every seventh has two best classes."""

    path = "samples"

    def __init__(self, size=30, classes=7):
        rng = np.random.default_rng(size)
        self.logits = rng.normal(0, 2, (size, classes)).astype(np.float32)
        self.logits[::7] = np.round(self.logits[::7])
        self.labels = np.arange(size) % classes

    def __len__(self):
        return len(self.logits)

    def name(self, i):
        return f"sample {i}\nof 'all', \"quoted\""

    def part(self, rank, ranks, bad):
        """A rank's batches of what is not bad, four samples each, dealt out in turn."""
        for start in range(4 * rank, len(self), 4 * ranks):
            chosen = [i for i in range(start, min(start + 4, len(self))) if i not in bad]
            if chosen:
                yield self.logits[chosen], self.labels[chosen].astype(np.float32)


def ranked(logits):
    """[(class, probability), ...] of one sample, the best first, of equals the first."""
    shares = np.exp(logits.astype(np.float64) - logits.max())
    shares /= shares.sum()
    return sorted(enumerate(shares.tolist()), key=lambda pair: -pair[1])


def predicted(samples, numbers, comm=None, known=()):
    """The meter of an evaluation whose network is the identity, and the predictions."""
    comm = comm or LocalComm()
    bad = BadRecords(samples, comm, 0.5)
    bad.known |= set(known)
    keeper = Keeper(numbers)
    batches = samples.part(comm.rank, comm.size, known)
    meter = loop.evaluate(lambda logits: logits, batches, comm, mx.cpu(), keeper.logits)
    return meter, keeper.gather(samples, bad, comm, size=4)


@pytest.mark.parametrize(("classes", "best"), [(7, 5), (5, 5), (3, 3), (1, 1)])
def test_the_best_classes_have_the_highest_probabilities(classes, best):
    samples = Samples(classes=classes)
    meter, said = predicted(samples, range(classes))
    assert said.classes.shape == said.scores.shape == (30, best)
    assert said.indices.tolist() == list(range(30))
    assert said.labels.tolist() == samples.labels.tolist()
    for row, logits in enumerate(samples.logits):
        chosen, scores = zip(*ranked(logits)[:best])
        assert said.classes[row].tolist() == list(chosen)
        assert said.scores[row] == pytest.approx(scores, rel=1e-5)
    assert said.right.mean() == meter.figures["top1"]
    if classes > 5:
        among = (said.classes == said.labels[:, None]).any(axis=1)
        assert among.mean() == meter.figures["top5"]


def test_what_is_kept_changes_no_figure():
    samples = Samples()
    kept, _ = predicted(samples, range(7))
    alone = loop.evaluate(lambda x: x, samples.part(0, 1, ()), LocalComm(), mx.cpu())
    assert (kept.loss, kept.figures) == (alone.loss, alone.figures)


def test_the_first_of_a_row_counts_in_top_1_where_all_logits_are_equal():
    samples = Samples(classes=1000)
    samples.logits[:] = 3
    meter, said = predicted(samples, range(1000))
    assert said.classes[:, 0].tolist() == [0] * 30 and meter.figures["top1"] == 1 / 30
    assert said.scores == pytest.approx(0.001)
    assert all(len(set(row)) == 5 for row in said.classes.tolist())


def test_classes_have_the_numbers_of_the_network():
    _, said = predicted(Samples(classes=3), [4, 8, 900])
    assert set(said.classes.ravel().tolist()) == set(said.labels.tolist()) == {4, 8, 900}


@pytest.mark.parametrize("bad", [(), (0, 13, 29), range(1, 30)])
@pytest.mark.parametrize("ranks", [2, 3])
def test_any_number_of_ranks_writes_the_file_of_one(tmp_path, ranks, bad):
    samples = Samples()
    _, alone = predicted(samples, range(7), known=bad)
    write_predictions(tmp_path / "alone.csv", alone, samples, NAMES)
    assert len(alone.indices) == 30 - len(bad) and not set(alone.indices) & set(bad)
    together = Ranks(ranks).run(lambda _, comm: predicted(samples, range(7), comm, bad)[1])
    for rank, said in enumerate(together):
        write_predictions(tmp_path / f"{rank}.csv", said, samples, NAMES)
        assert (tmp_path / f"{rank}.csv").read_bytes() == (tmp_path / "alone.csv").read_bytes()


def test_probabilities_of_single_samples_are_kept_as_they_are():
    samples, keeper = Samples(), Keeper(range(7))
    given = [(np.array(x, float), int(y)) for x, y in zip(samples.logits, samples.labels)]
    assert list(keeper.watch(iter(given))) == given
    said = keeper.gather(samples, count_bad(samples), LocalComm())
    _, expected = predicted(samples, range(7))
    assert np.array_equal(said.classes, expected.classes)
    assert np.array_equal(said.labels, expected.labels)
    assert said.scores[3].tolist() == sorted(samples.logits[3].tolist(), reverse=True)[:5]
    samples, keeper = Samples(1), Keeper(range(1000))
    assert list(keeper.watch([(np.ones(1000), 7)]))
    said = keeper.gather(samples, count_bad(samples), LocalComm())
    assert said.classes.tolist() == [[0, 1, 2, 3, 4]]  # of equals the first


def test_the_file_is_read_back_by_csv(tmp_path):
    samples = Samples()
    meter, said = predicted(samples, range(7))
    write_predictions(tmp_path / "out.csv", said, samples, NAMES)
    with open(tmp_path / "out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [samples.name(i) for i in range(30)]
    assert [row["label_name"] for row in rows] == [NAMES[i % 7] for i in range(30)]
    assert np.mean([row["label"] == row["class1"] for row in rows]) == meter.figures["top1"]
    places = range(1, 6)
    for row, scores in zip(rows, said.scores):
        assert [row[f"score{i}"] for i in places] == [f"{score:.6f}" for score in scores]
        assert [row[f"class{i}_name"] for i in places] == [
            NAMES[int(row[f"class{i}"])] for i in places
        ]
    assert list(rows[0])[:6] == [
        "name", "label", "label_name", "class1", "class1_name", "score1",
    ]  # fmt: skip
    assert len(rows[0]) == 3 + 5 * 3


def test_a_name_that_is_no_utf_8_is_written_in_what_is(tmp_path):
    samples = Samples(1)
    samples.name = lambda i: b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    write_predictions(tmp_path / "out.csv", predicted(samples, range(7))[1], samples, NAMES)
    assert r"caf\udce9.jpg" in (tmp_path / "out.csv").read_text(encoding="utf-8")


def test_the_file_is_written_whole_or_not_at_all(tmp_path):
    def fail(i):
        if i == 9:
            raise InputError("no name")
        return "a name"

    samples, out = Samples(), tmp_path / "out.csv"
    out.write_text("older")
    samples.name, (_, said) = fail, predicted(samples, range(7))
    with pytest.raises(InputError, match="no name"):
        write_predictions(out, said, samples, NAMES)
    assert out.read_text() == "older" and list(tmp_path.iterdir()) == [out]
    none = Predictions(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 5), int), np.zeros((0, 5)))
    with pytest.raises(InputError, match=f"^{out}"):
        write_predictions(out / "within.csv", none, samples, NAMES)
