import numpy as np

from gluon_glore.weights.golden import relative_error, rounding_error, top1_agreement


def test_rounding_error_is_what_the_network_makes_of_a_last_bit():
    x = np.random.RandomState(0).uniform(1, 2, (2, 1000)).astype("float32")
    assert rounding_error(lambda pixels: pixels, x) < 2e-7
    magnified = rounding_error(lambda pixels: (pixels.astype("float64") - x) * 1e3 + 1, x)
    assert 3e-5 < magnified < 3e-4  # a thousand times 2**-23 of values up to 2


def test_relative_error_is_of_the_largest_and_infinite_for_nan():
    assert relative_error(np.array([1.0, -4.5]), np.array([1.0, -4.0])) == 0.125
    assert relative_error(np.array([np.nan, 1.0]), np.array([1.0, 1.0])) == float("inf")


def test_top1_agreement_counts_rows():
    expected = np.array([[0, 1], [1, 0], [0, 1], [0, 1]])
    assert top1_agreement(np.array([[0, 2], [1, 3], [0, 2], [5, 6]]), expected) == 0.75
