"""The ranges of a network's activations, for integers to represent: observed on samples.

Either from the smallest to the largest value ("minmax"), or the range that changes their
distribution least ("entropy"): values beyond it are clipped, which buys a finer step (Migacz, 8-bit
inference with TensorRT, GTC 2017).
"""

import warnings

import mxnet as mx
import numpy as np

from ..utils.errors import InputError

BINS = 2048
SAMPLE = 100_000  # values of a batch that are counted, about
LEVELS = 128  # of an integer's positive half
CLIPPED = 1e-3  # share of the values that are not zero, at most
BATCH = 4  # inputs that are observed at once,
MOST_NUMBERS = 2**20  # or as many as have so many numbers: all activations are there at once
METHODS = ("minmax", "entropy")


def refuse_method(method):
    """Raise InputError where there is no such calibration."""
    if method not in METHODS:
        raise InputError(f"unknown calibration {method!r}, known: {', '.join(METHODS)}")


class Histogram:
    """The smallest and largest of all values added to it, and a histogram of their magnitudes.

    Of a sample of them; zeros are not counted, for integers represent them exactly.
    """

    def __init__(self):
        self.low = self.high = 0.0
        self.counts = np.zeros(BINS)
        self._width = 0.0

    def add(self, values):
        """Add an array of any shape; an evenly spread sample of its magnitudes is counted."""
        low, high = float(values.min()), float(values.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        largest = max(-low, high)
        self._width = self._width or largest or 0.0
        while largest > self._width:  # twice as wide: neighbours become one
            self._width *= 2
            self.counts = np.append(self.counts.reshape(-1, 2).sum(axis=1), np.zeros(BINS // 2))
        if self._width:
            sample = np.abs(values.ravel()[:: max(1, values.size // SAMPLE) | 1])
            counts = np.histogram(sample, BINS, (0, self._width))[0]
            counts[0] -= np.count_nonzero(sample == 0)
            self.counts += counts

    def range(self, method):
        """(low, high) by `method`, zero within it."""
        if method == "minmax" or not self._width:
            return self.low, self.high
        largest = _most_faithful(self.counts) / BINS * self._width
        return max(self.low, -largest), min(self.high, largest)


def _most_faithful(counts):
    """How many bins to keep, so that their distribution in `LEVELS` levels diverges least.

    No more than the share `CLIPPED` is cut off: by the divergence alone, a spike would get all the
    levels and the rest of a distribution none.
    """
    best, kept = np.inf, BINS
    least = int(np.searchsorted(counts.cumsum(), (1 - CLIPPED) * counts.sum())) + 1
    for size in range(max(LEVELS, least), BINS + 1, LEVELS // 8):
        inside = counts[:size]
        wanted = inside.copy()
        wanted[-1] += counts[size:].sum()  # clipped
        level = np.arange(size) * LEVELS // size
        filled = inside > 0
        sums = np.bincount(level, inside, LEVELS)
        shares = sums / np.maximum(np.bincount(level, filled, LEVELS), 1)
        given = np.where(filled, shares[level], 0)
        divergence = _divergence(wanted, given)
        if divergence < best:
            best, kept = divergence, size
    return kept


def _divergence(wanted, given):
    """Kullback-Leibler divergence of one distribution's counts from another's, smoothed."""
    p, q = wanted / max(wanted.sum(), 1), given / max(given.sum(), 1)
    there = p > 0
    return float((p[there] * np.log(p[there] / np.maximum(q[there], 1e-6))).sum())


def observe(symbol, arrays, names, inputs, method, batch=BATCH):
    """{name: (low, high)} of the outputs `names` of a symbol's operators, for all `inputs`.

    `arrays` are "arg:NAME" and "aux:NAME". Input variables are named like outputs.
    """
    batch = max(1, min(batch, MOST_NUMBERS // inputs[0].size))
    internals = symbol.get_internals()
    names = sorted(names)
    found = {name: Histogram() for name in names}
    network = _block([internals[name] for name in names], arrays)
    for start in range(0, len(inputs), batch):
        outputs = network(mx.nd.array(inputs[start : start + batch], dtype=inputs.dtype))
        for name, output in zip(names, outputs if len(names) > 1 else [outputs]):
            found[name].add(output.asnumpy())
    return {name: histogram.range(method) for name, histogram in found.items()}


def _block(outputs, arrays):
    """A block of inner outputs of a symbol: on those an executor's own fusion fails."""
    arrays = {name[4:]: array for name, array in arrays.items()}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Cannot decide type")  # of data: it follows the input
        block = mx.gluon.SymbolBlock(outputs, [mx.sym.var("data")])
    for name, param in block.collect_params().items():
        param.shape = arrays[name].shape
        param.initialize(mx.init.Zero())
        param.set_data(arrays[name])
    return block
