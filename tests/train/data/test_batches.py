"""Batches of samples that are labelled pixel by pixel; pictures with one label: test_pictures."""

from types import SimpleNamespace

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.data.records import WrongLabel
from tests.helpers.damaged_records import count_bad
from tests.helpers.threads import Ranks
from train.data import batches
from train.data.bad_records import BadRecords

SHAPE = (1, 3, 5)


class Squares:
    """Sample i: pixels of value i, every one labelled i; those in `damaged` can't be read."""

    path = "squares"

    def __init__(self, size, damaged=()):
        self._size, self._damaged = size, damaged

    def __len__(self):
        return self._size

    def name(self, i):
        return f"square {i}"

    def view(self, index, out):
        if index in self._damaged:
            raise InputError("no square")
        out[:] = index
        return np.full(SHAPE[1:], index, np.uint8)

    def chance(self, index, rng, out):
        label = self.view(index, out)
        out += rng.random()
        return label


CONFIG = SimpleNamespace(
    seed=3, optim=SimpleNamespace(batch_size=8), data=SimpleNamespace(threads=2)
)


def epoch(dataset, rank=0, ranks=1, number=0, start=0, bad=None):
    bad = bad or count_bad(dataset, 0.2)
    order = (CONFIG, number, rank, ranks, start)
    return list(batches.training_batches(dataset, bad, dataset.chance, SHAPE, *order))


def test_too_few_samples_for_a_batch_are_refused():
    with pytest.raises(InputError, match="31 training pictures do not fill one batch of 32"):
        batches.steps_per_epoch(31, 32)
    assert batches.steps_per_epoch(70, 32) == 2


def test_labels_are_arrays_that_belong_to_their_pixels():
    seen = []
    for pixels, labels in epoch(Squares(20)):
        assert pixels.shape == (8, *SHAPE) and pixels.dtype == np.float32
        assert labels.shape == (8, *SHAPE[1:]) and labels.dtype == np.uint8
        assert (np.floor(pixels[:, 0]) == labels).all()
        seen += list(labels[:, 0, 0])
    assert len(seen) == len(set(seen)) == 16


def test_ranks_share_a_steps_samples_and_a_later_start_gives_the_same():
    whole = epoch(Squares(20))
    parts = [epoch(Squares(20), rank, 2) for rank in (0, 1)]
    for step, (pixels, labels) in enumerate(whole):
        assert np.array_equal(pixels, np.concatenate([part[step][0] for part in parts]))
        assert np.array_equal(labels, np.concatenate([part[step][1] for part in parts]))
    assert np.array_equal(epoch(Squares(20), start=1)[0][0], whole[1][0])
    assert not np.array_equal(epoch(Squares(20), number=1)[0][0], whole[0][0])


def test_another_stands_in_for_a_sample_that_cannot_be_viewed(capsys):
    order = np.random.default_rng([3, 0]).permutation(20)
    dataset = Squares(20, damaged=(order[1],))
    bad = count_bad(dataset, 0.2)
    (_, labels), _ = epoch(dataset, bad=bad)
    assert list(labels[:3, 0, 0]) == [order[0], order[2], order[2]]
    assert bad.known == {order[1]}
    assert capsys.readouterr().err == f"skipped square {order[1]}: no square\n"


class Misnamed(Squares):
    """Squares, one of which has a label that is no class's."""

    def __init__(self, size, wrong, **options):
        super().__init__(size, **options)
        self._wrong = wrong

    def view(self, index, out):
        if index == self._wrong:
            raise WrongLabel(f"square {index}: label 7 is out of range")
        return super().view(index, out)


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("place", [0, 9, 15])
def test_a_label_that_no_class_has_ends_training_on_all_ranks_whatever_max_bad(ranks, place):
    """A set of one bad square, of which half may be bad: only one rank meets the wrong label."""
    order = np.random.default_rng([3, 0]).permutation(40)
    dataset = Misnamed(40, wrong=order[place], damaged=(order[1],))

    def train(rank, comm):
        bad, steps = BadRecords(dataset, comm, 0.5), 0
        given = (dataset, bad, dataset.chance, SHAPE, CONFIG, 0, rank, ranks)
        with pytest.raises(WrongLabel) as error:
            for _ in batches.training_batches(*given):
                steps += 1
        assert order[place] not in bad.known
        return str(error.value), steps

    outcomes = Ranks(ranks).run(train)
    (message, steps) = outcomes[0]
    assert message == f"square {order[place]}: label 7 is out of range"
    assert outcomes == [outcomes[0]] * ranks and steps <= place // 8


def test_whole_batches_are_those_of_one_process_dealt_out_in_turn():
    def seen(rank, ranks):
        dataset = Squares(29, damaged=(4, 24))
        given = (dataset, count_bad(dataset, 0.5), dataset.view, SHAPE, CONFIG, rank, ranks)
        found = batches.evaluation_batches(*given, whole=True)
        return [labels[:, 0, 0].tolist() for _, labels in found]

    alone = seen(0, 1)
    assert alone[0] == [0, 1, 2, 3, 5, 6, 7] and list(map(len, alone)) == [7, 8, 8, 4]
    for ranks in (2, 3, 5):
        assert [seen(rank, ranks) for rank in range(ranks)] == [
            alone[rank::ranks] for rank in range(ranks)
        ]
    assert [dealt.tolist() for dealt in batches.dealt(5, 2, 1, 2)] == [[2, 3]]


@pytest.mark.parametrize("ranks", [1, 3])
def test_a_label_that_no_class_has_ends_an_evaluation_on_all_ranks(ranks):
    dataset = Misnamed(100, wrong=5)

    def evaluate(rank, comm):
        bad, seen = BadRecords(dataset, comm, 0.5), 0
        given = (dataset, bad, dataset.view, SHAPE, CONFIG, rank, ranks)
        with pytest.raises(WrongLabel, match="^square 5: label 7 is out of range$"):
            for pixels, _ in batches.evaluation_batches(*given):
                seen += len(pixels)
        return seen

    seen = Ranks(ranks).run(evaluate)
    assert seen[5 % ranks] < 20  # the rank that meets it does not go on


@pytest.mark.parametrize("ranks", [1, 3])
def test_evaluation_sees_all_but_the_bad_once_and_in_order(ranks):
    for rank in range(ranks):
        dataset = Squares(20, damaged=(4, 5))
        seen = []
        for pixels, labels in batches.evaluation_batches(
            dataset, count_bad(dataset, 0.2), dataset.view, SHAPE, CONFIG, rank, ranks
        ):
            assert (pixels[:, 0] == labels).all() and labels.dtype == np.uint8
            seen += list(labels[:, 0, 0])
        assert seen == [i for i in range(rank, 20, ranks) if i not in (4, 5)]


def test_a_set_of_bad_samples_alone_is_an_error_not_a_batch():
    dataset = Squares(8, damaged=range(8))
    with pytest.raises(InputError, match="more than 7 of 8 records are bad .* no square"):
        epoch(dataset, bad=count_bad(dataset, 0.9))
