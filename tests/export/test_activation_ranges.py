import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.export.activation_ranges import BINS, Histogram, observe, refuse_method

RNG = np.random.RandomState(1)


def filled(*arrays):
    histogram = Histogram()
    for array in arrays:
        histogram.add(np.asarray(array, "float32"))
    return histogram


def test_smallest_and_largest_of_all_batches_with_zero_within():
    assert filled([1, 2], [-3, 0.5]).range("minmax") == (-3, 2)
    assert filled([1, 2]).range("minmax") == (0, 2)
    assert filled([0, 0]).range("minmax") == filled([0, 0]).range("entropy") == (0, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_entropy_clips_what_is_rare_and_far_away(sign):
    values = np.abs(RNG.normal(size=50_000))
    values[0] = 40
    low, high = sorted(np.abs(filled(sign * values).range("entropy")))
    assert low == 0
    assert 2.5 < high < 8


def test_entropy_does_not_give_a_spike_all_the_levels():
    values = np.append(np.full(40_000, 0.367), RNG.uniform(0, 4, size=10_000))
    assert filled(values).range("entropy")[1] > 3.8


def test_entropy_keeps_what_is_evenly_spread():
    low, high = filled(RNG.uniform(-1, 1, size=50_000)).range("entropy")
    assert low == pytest.approx(-1, abs=0.05)
    assert high == pytest.approx(1, abs=0.05)


def test_the_distribution_grows_with_what_comes():
    """The same counts, whatever the order: the first batch does not set the width."""
    small, large = RNG.uniform(0.01, 1, size=5_000), RNG.uniform(0.01, 7, size=5_000)
    grown = filled(small / 10, small, large)
    assert grown.counts.sum() == 15_000
    assert len(grown.counts) == BINS
    occupied = np.flatnonzero(grown.counts)[-1] + 1
    assert occupied > BINS / 2  # no more than twice as wide as needed
    inside = grown.counts[: BINS // 8].sum()
    width = grown._width / 8
    assert inside == sum((a < width).sum() for a in (small / 10, small, large))


def test_zeros_are_no_part_of_the_distribution():
    values = np.maximum(RNG.normal(size=20_000), 0)
    assert filled(values).counts.sum() == (values > 0).sum()


def test_outputs_inside_a_network_are_observed():
    data = mx.sym.var("data")
    inner = mx.sym.FullyConnected(data, num_hidden=2, no_bias=True, name="inner")
    outer = mx.sym.Activation(inner, act_type="relu", name="outer") * 10
    arrays = {"arg:inner_weight": mx.nd.array([[1, 0], [0, -2]]), "arg:unused": mx.nd.ones(3)}
    x = np.array([[1, 5], [-4, 3], [2, -6]], "float32")
    ranges = observe(outer, arrays, {"data", "inner_output", "outer_output"}, x, "minmax", batch=2)
    assert ranges == {"data": (-6, 5), "inner_output": (-10, 12), "outer_output": (0, 12)}
    assert observe(outer, arrays, {"inner_output"}, x, "minmax") == {"inner_output": (-10, 12)}


def test_unknown_methods_are_refused():
    with pytest.raises(InputError, match="unknown calibration 'max', known: minmax, entropy"):
        refuse_method("max")
