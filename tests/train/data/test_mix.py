"""Mixed pictures: targets are what the pixels say, and the same however a run is cut."""

from types import SimpleNamespace

import numpy as np
import pytest

from gluon_glore import InputError
from tests.helpers.damaged_records import count_bad
from train.config.mix import Mix
from train.config.optim import Optim
from train.data import batches
from train.data.mix import blend, check_mix, exchange, mixed, random_box

SHAPES = [(3, 12, 10), (2, 4, 12, 10)]
CLASSES, SAMPLES = 7, 36


class Flat:
    """Sample i: all pixels i + 1, of class i modulo 7."""

    path = "flat"

    def __init__(self, shape, damaged=()):
        self.shape, self.damaged = shape, damaged

    def __len__(self):
        return SAMPLES

    def name(self, i):
        return f"sample {i}"

    def view(self, index, rng, out):
        if index in self.damaged:
            raise InputError("damaged")
        out[:] = index + 1
        return index % CLASSES


def config(size=8, epochs=2, seed=3, **mix):
    optim = Optim(batch_size=size, epochs=epochs)
    return SimpleNamespace(seed=seed, optim=optim, mix=Mix(**mix), data=SimpleNamespace(threads=2))


def epoch(config, number=0, rank=0, ranks=1, start=0, shape=SHAPES[0], damaged=()):
    """A rank's mixed batches of an epoch, and what they were before."""
    dataset = Flat(shape, damaged)
    order = (config, number, rank, ranks, start)
    made = [
        list(
            batches.training_batches(dataset, count_bad(dataset, 0.2), dataset.view, shape, *order)
        )
        for _ in range(2)
    ]
    return list(mixed(made[0], config, CLASSES, SAMPLES, number, start)), made[1]


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, b) for x, y in zip(one, other) for a, b in zip(x, y)
    )


def shares_of(pixels, before):
    """Each picture's share of its own pixels, from the means of flat pictures."""
    now = pixels.reshape(len(pixels), -1).mean(axis=1, dtype=np.float64)
    own = before.reshape(len(before), -1)[:, 0].astype(np.float64)
    partners = own.reshape(-1, 2)[:, ::-1].ravel()
    with np.errstate(invalid="ignore"):  # a picture that stands in may be its own partner
        return (now - partners) / (own - partners)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_targets_are_the_shares_of_the_pixels(kind, shape):
    seen = []
    for (pixels, targets), (before, labels) in zip(*epoch(config(**{kind: 0.8}), shape=shape)):
        shares = shares_of(pixels, before)
        assert np.ptp(shares) < 1e-4  # one lambda a batch
        partners = labels.reshape(-1, 2)[:, ::-1].ravel()
        own, others = (np.eye(CLASSES)[y.astype(int)] for y in (labels, partners))
        expected = shares[:, None] * own + (1 - shares[:, None]) * others
        assert targets.dtype == np.float32 and pixels.dtype == np.float32
        assert np.abs(targets - expected).max() < 1e-4
        assert np.abs(targets.sum(axis=1) - 1).max() < 1e-6
        if kind == "cutmix":  # every pixel is of one picture, the same place in all frames
            cut = pixels != before
            assert (cut == cut[:1, :1] if len(shape) == 3 else cut == cut[:1, :1, :1]).all()
            assert np.isclose(1 - cut[0].mean(), shares[0], atol=1e-6)
        else:
            assert (np.ptp(pixels.reshape(len(pixels), -1), axis=1) == 0).all()
        seen.append(round(float(shares[0]), 6))
    assert len(set(seen)) == 4 and all(0 <= share <= 1 for share in seen)


def test_mixup_is_the_sum_that_the_paper_has_of_any_pixels():
    pixels = np.random.default_rng(0).normal(size=(6, 3, 5, 4)).astype(np.float32)
    before = pixels.astype(np.float64)
    blend(pixels, 0.3)
    partners = before.reshape(3, 2, 3, 5, 4)[:, ::-1].reshape(before.shape)
    assert np.abs(pixels - (0.3 * before + 0.7 * partners)).max() < 1e-6


def test_lambda_is_what_the_box_leaves_to_the_pixel():
    rng, left = np.random.default_rng(0), []
    for share in (0, 0.3, 0.9, 1):
        for place in rng.random((30, 2)):
            box, given = random_box((9, 14), share, place)
            top, bottom, first, last = box
            assert 0 <= top <= bottom <= 9 and 0 <= first <= last <= 14
            pixels = np.stack([np.zeros((1, 9, 14)), np.ones((1, 9, 14))])
            exchange(pixels, box)
            assert given == pytest.approx(1 - pixels[0].mean(), abs=1e-12)
            assert np.array_equal(pixels[1], 1 - pixels[0])
            left.append(given)
        # A box in the middle has the sides that Yun et al. give it, rounded to whole pixels.
        (top, bottom, first, last), _ = random_box((90, 140), share, (0.5, 0.5))
        assert bottom - top == pytest.approx(90 * (1 - share) ** 0.5, abs=2)
        assert last - first == pytest.approx(140 * (1 - share) ** 0.5, abs=2)
    assert left[-1] == 1 and min(left) < 0.5


def test_lambda_is_drawn_from_the_beta_of_alpha():
    """Moments of Beta(a, a): mean 1/2, variance 1 / (4 (2 a + 1))."""
    for alpha in (0.2, 1.0):
        drawn = config(size=2, epochs=1, mixup=alpha)
        pairs = (
            (np.array([0, 1], np.float32).reshape(2, 1, 1, 1), np.array([0.0, 1.0]))
            for _ in range(3000)
        )
        given = np.array([y[0, 0] for _, y in mixed(pairs, drawn, 2, 6000, 0)], np.float64)
        assert given.mean() == pytest.approx(0.5, abs=0.03)
        assert given.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


@pytest.mark.parametrize(
    ("keys", "mixup", "cutmix"),
    [
        ({"mixup": 1.0}, 1, 0),
        ({"cutmix": 1.0}, 0, 1),
        ({"mixup": 1.0, "cutmix": 1.0}, 0.5, 0.5),
        ({"mixup": 1.0, "cutmix": 1.0, "switch": 0.2}, 0.8, 0.2),
        ({"mixup": 1.0, "cutmix": 1.0, "switch": 1.0}, 0, 1),
        ({"mixup": 1.0, "cutmix": 1.0, "switch": 0.2, "share": 0.5}, 0.4, 0.1),
        ({"share": 0.5}, 0, 0),
    ],
)
def test_switch_and_share_say_how_many_batches_get_which(keys, mixup, cutmix):
    steps, counts = 1000, {"mixup": 0, "cutmix": 0}
    ends = np.array([0, 1], np.float32)[:, None, None, None] * np.ones((1, 1, 8, 8), np.float32)
    made = ((ends.copy(), np.array([0.0, 1.0])) for _ in range(steps))
    for pixels, targets in mixed(made, config(size=2, epochs=1, **keys), 2, 2 * steps, 0):
        if targets.ndim == 1:
            assert np.array_equal(pixels, ends) and targets.tolist() == [0, 1]
        else:
            counts["cutmix" if set(np.unique(pixels)) <= {0, 1} else "mixup"] += 1
    assert counts["mixup"] / steps == pytest.approx(mixup, abs=0.06)
    assert counts["cutmix"] / steps == pytest.approx(cutmix, abs=0.06)


def test_the_last_epochs_are_as_they_were():
    some = config(mixup=1.0, cutmix=1.0, epochs=3, off_epochs=2)
    for number, is_mixed in enumerate((True, False, False)):
        now, before = epoch(some, number)
        assert same(now, before) != is_mixed
    # 9 steps of 4 an epoch: the third epoch is the last, of one step.
    some.optim = Optim(batch_size=8, iterations=9, schedule="cosine")
    assert [same(*epoch(some, number)) for number in range(3)] == [False, True, True]


def test_two_ranks_and_a_later_start_see_the_same_mixed_pictures():
    some = config(mixup=0.4, cutmix=1.0)
    whole, _ = epoch(some)
    parts = [epoch(some, rank=rank, ranks=2)[0] for rank in (0, 1)]
    joined = [[np.concatenate(halves) for halves in zip(*step)] for step in zip(*parts)]
    assert same(whole, joined)
    assert same(whole[2:], epoch(some, start=2)[0])
    assert not same(whole, epoch(some, number=1)[0])
    assert not same(whole, epoch(config(mixup=0.4, cutmix=1.0, seed=4))[0])


def test_what_stands_in_for_a_bad_record_is_mixed_with_its_own_label():
    (now, before), hit = epoch(config(mixup=1.0), damaged=(4, 11)), 0
    for (pixels, targets), (whole, labels) in zip(now, before):
        assert not {5, 12} & set(whole[:, 0, 0, 0].tolist())
        shares = shares_of(pixels, whole)
        heavy = np.where(shares > 0.5, labels, labels.reshape(-1, 2)[:, ::-1].ravel())
        assert np.array_equal(targets.argmax(axis=1), heavy)
        hit += len(labels)
    assert hit == 32


def test_without_alphas_a_batch_is_what_it_was():
    now, before = epoch(config(switch=0.9, off_epochs=7))
    assert same(now, before)
    check_mix(config(size=5, off_epochs=7), SAMPLES, 1)


@pytest.mark.parametrize(
    ("size", "ranks", "keys", "message"),
    [
        (9, 1, {"mixup": 1.0}, "by two: optim.batch_size 9 on 1 must be .* given 9$"),
        (12, 4, {"cutmix": 1.0}, "batch_size 12 on 4 must be an even number for each, given 3$"),
        (
            8,
            2,
            {"mixup": 1.0, "off_epochs": 2},
            "mix.off_epochs must be below .* 2 epochs, given 2",
        ),
    ],
)
def test_what_cannot_be_mixed_is_refused(size, ranks, keys, message):
    with pytest.raises(InputError, match=message):
        check_mix(config(size=size, **keys), SAMPLES, ranks)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"mixup": -1.0}, "mix.mixup must not be below 0, given -1"),
        ({"cutmix": -0.1}, "mix.cutmix must not be below 0"),
        ({"mixup": 1e-310}, "mix.mixup is 0, or an alpha from 0.001 to 1000, given 1e-310"),
        ({"cutmix": 1e308}, "mix.cutmix is 0, or an alpha from 0.001 to 1000, given 1e"),
        ({"switch": 1.5}, "mix.switch is a share of 1, given 1.5"),
        ({"share": 0.0}, "mix.share must be above 0"),
        ({"share": 2.0}, "mix.share is a share of 1, given 2"),
        ({"off_epochs": -1}, "mix.off_epochs must not be below 0"),
    ],
)
def test_values_out_of_range_are_refused(keys, message):
    with pytest.raises(InputError, match=message):
        Mix(**keys).check()
