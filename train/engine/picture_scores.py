"""How sure an accuracy is, and how sure a network is of itself: numpy functions of its predictions.

Sources: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural Networks",
ICML 2017, https://arxiv.org/abs/1706.04599; B. Efron, R. Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 13.
"""

import numpy as np

BINS = 15
RESAMPLES = 1000
CONFIDENCE = 0.95
SEED = 0


def calibration_error(confidences, right, bins=BINS):
    """The expected calibration error (Guo et al., equation 3), a share of 1.

    `confidences` (n,) are the probabilities of the best classes, `right` (n,) whether these are the
    samples' own. Bin m of M has the confidences in ((m - 1) / M, m / M], and the error is

        sum over m of  n_m / n * |mean of right in bin m - mean of confidences in bin m|

    It is nan where a confidence is, or there are none.
    """
    confidences, right = np.asarray(confidences, np.float64), np.asarray(right, np.float64)
    if not len(confidences):
        return float("nan")
    bin_of = np.searchsorted(np.arange(1, bins) / bins, confidences, side="left")
    gaps = np.bincount(bin_of, weights=right - confidences, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidences))


def bootstrap_interval(right, resamples=RESAMPLES, confidence=CONFIDENCE, seed=SEED):
    """(low, high), the percentile bootstrap interval of an accuracy, shares of 1.

    `right` (n,) says of each sample whether it was named rightly. Of n samples drawn with
    replacement the right ones are binomially many, of n with the accuracy as probability; so they
    are drawn as `numpy.random.default_rng(seed).binomial(n, accuracy, resamples)`, which is the
    resampling itself, but for n numbers less a resample. The interval is between the percentiles
    (1 - confidence) / 2 and (1 + confidence) / 2 of their shares, interpolated linearly. It is
    (nan, nan) of no samples.
    """
    samples = len(right)
    if not samples:
        return float("nan"), float("nan")
    accuracy = np.count_nonzero(right) / samples
    shares = np.random.default_rng(seed).binomial(samples, accuracy, resamples) / samples
    low, high = np.percentile(shares, [50 - 50 * confidence, 50 + 50 * confidence])
    return float(low), float(high)
