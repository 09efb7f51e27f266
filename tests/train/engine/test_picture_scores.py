import math

import numpy as np
import pytest

from train.engine.picture_scores import bootstrap_interval, calibration_error


def by_loops(confidences, right, bins=15):
    """The expected calibration error as Guo et al. write it, a bin after the other."""
    error = 0.0
    for m in range(1, bins + 1):
        inside = [i for i, c in enumerate(confidences) if (m - 1) / bins < c <= m / bins]
        if inside:
            accuracy = sum(bool(right[i]) for i in inside) / len(inside)
            confidence = sum(confidences[i] for i in inside) / len(inside)
            error += len(inside) / len(confidences) * abs(accuracy - confidence)
    return error


@pytest.mark.parametrize("samples", [1, 7, 500])
def test_the_calibration_error_is_that_of_the_formula(samples):
    rng = np.random.default_rng(samples)
    confidences = rng.uniform(0.1, 1, samples)
    right = rng.random(samples) < confidences**2
    expected = by_loops(confidences.tolist(), right)
    assert calibration_error(confidences, right) == pytest.approx(expected, rel=1e-12)
    assert expected > 0.01


@pytest.mark.parametrize(
    ("confidences", "right", "error"),
    [
        ([1.0], [True], 0),  # the last bin has its end
        ([1.0], [False], 1),
        ([1.0, 0.95], [True, False], 0.475),  # they are in one bin: |1/2 - 0.975|
        ([1 / 15, 1 / 15 + 1e-9], [True, False], 0.5),  # a bin has its upper end, not its lower
        ([0.7] * 10, [True] * 7 + [False] * 3, 0),
        ([0.25] * 4, [True] * 4, 0.75),
        ([0.25] * 4, [False] * 4, 0.25),
    ],
)
def test_the_calibration_error_of_samples_that_can_be_counted_by_hand(confidences, right, error):
    assert calibration_error(confidences, right) == pytest.approx(error, abs=1e-8)


def test_without_a_number_there_is_no_calibration_error():
    assert math.isnan(calibration_error([0.5, math.nan], [True, True]))
    assert math.isnan(calibration_error([], []))


def resampled(right, times, rng):
    """The accuracies of samples drawn with replacement, drawn one by one."""
    return sorted(
        np.mean([right[i] for i in rng.integers(0, len(right), len(right))]) for _ in range(times)
    )


def test_the_interval_is_that_of_samples_drawn_with_replacement():
    right = np.arange(200) % 10 < 7
    low, high = bootstrap_interval(right)
    shares = resampled(right, 2000, np.random.default_rng(7))
    # Percentiles of 1,000 resamples scatter by less than two of the 200 samples.
    assert abs(low - shares[50]) <= 0.01 and abs(high - shares[1950]) <= 0.01
    assert 0.61 < low < 0.66 and 0.74 < high < 0.79


def test_the_interval_is_what_its_docstring_says():
    right = np.arange(300) % 4 == 0
    drawn = np.random.default_rng(0).binomial(300, 0.25, 1000)
    shares = sorted(drawn / 300)

    def percentile(share):
        place = share * 999
        below = math.floor(place)
        return shares[below] + (place - below) * (shares[below + 1] - shares[below])

    expected = (percentile(0.025), percentile(0.975))
    assert bootstrap_interval(right) == pytest.approx(expected, rel=1e-12)
    assert bootstrap_interval(right) == bootstrap_interval(right[::-1])
    narrow = bootstrap_interval(right, confidence=0.5)
    assert expected[0] < narrow[0] < 0.25 < narrow[1] < expected[1]


def test_the_interval_narrows_with_the_root_of_the_samples():
    widths = [np.ptp(bootstrap_interval(np.arange(n) % 2 == 0)) for n in (100, 10_000)]
    assert widths[0] / widths[1] == pytest.approx(10, rel=0.2)


@pytest.mark.parametrize(("right", "end"), [([True], 1), ([False], 0), ([True] * 9, 1)])
def test_where_all_are_alike_the_interval_is_a_point(right, end):
    assert bootstrap_interval(right) == (end, end)


def test_no_samples_have_no_interval():
    assert all(map(math.isnan, bootstrap_interval([])))
