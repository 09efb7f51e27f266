"""The batches of any trainer: samples made by threads ahead of the network, in an order for all.

The order of an epoch is one permutation for all ranks, a pure function of (seed, epoch); a step's
samples are the same however many ranks share them. A sample's view is a pure function of
(seed, epoch, index). In training the next good record of the permutation stands in for a bad one,
so that all ranks keep their steps; evaluation leaves bad ones out.

A data set has a length, `name(index)` for messages and `bad`, its BadRecords; how a sample is read
and seen is a function of its index, `view`. Configurations say the seed, `optim.batch_size` and
`data.threads`.
"""

import collections
import itertools
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from gluon_glore.data.records import BadRecord
from gluon_glore.utils.errors import InputError

AHEAD = 3  # batches in the making while the network computes

cv2.setNumThreads(1)  # the pool below is the parallelism


def steps_per_epoch(samples, batch_size):
    """Whole batches in an epoch; what is left over comes in another epoch's order.

    Raises InputError where there is not one.
    """
    if samples < batch_size:
        raise InputError(f"{samples} training pictures do not fill one batch of {batch_size}")
    return samples // batch_size


def order(dataset, config):
    """What the order of an epoch's samples depends on: a step's number means as much as these."""
    return {
        "seed": config.seed,
        "pictures": len(dataset),
        "batch_size": config.optim.batch_size,
    }


def training_batches(dataset, view, shape, config, epoch, rank, ranks, start=0):
    """Yield an epoch's `(pixels (b, *shape), labels (b, ...))` of one rank, b = batch / ranks.

    `view(index, rng, out)` writes sample `index` to `out`, float32 of `shape`, as it is seen with
    the numpy Generator `rng`, and returns its label: a number (labels are float32 then) or an array
    alike for all. Where it raises InputError, the record is bad.

    Begins at the epoch's step `start`, and views nothing of what lies before. Raises InputError
    where more records are bad than `dataset.bad` allows.
    """
    size = config.optim.batch_size
    share = size // ranks
    order = np.random.default_rng([config.seed, epoch]).permutation(len(dataset))

    def attempt(index, drawn=0, out=None):
        # By the index that was drawn: a sample that stands in shows another view than its own.
        rng = np.random.default_rng([config.seed, epoch, drawn])
        return _attempt(dataset, index, lambda out: view(index, rng, out), shape, out)

    def fill(position, out):
        """Label of the record at a position of the order, and whether another stands in for it."""
        index = order[position]
        for candidate in map(int, itertools.chain(order[position:], order[:position])):
            if candidate in dataset.bad.known:
                continue
            label = attempt(candidate, index, out)
            if label is not None or dataset.bad.hopeless:
                return label, candidate != index or label is None
        return None, True

    steps = range(start, steps_per_epoch(len(dataset), size))
    mine = (np.arange(share) + step * size + rank * share for step in steps)
    for step, (pixels, results) in zip(steps, _load_ahead(fill, mine, shape, config.data.threads)):
        labels, replaced = zip(*results)
        gave_up = any(label is None for label in labels)
        bad = np.zeros(size)
        bad[rank * share : (rank + 1) * share] = replaced
        dataset.bad.agree(order[step * size : (step + 1) * size], bad, attempt, gave_up)
        yield pixels, _stack(labels)


def evaluation_batches(dataset, view, shape, config, rank, ranks, stop=lambda: False):
    """Yield one rank's part of the set, in order; over all ranks each sample comes exactly once.

    `view(index, out)` as in training, but without chance. Bad records are left out, and in
    `dataset.bad.known` after the last batch. Ends after the batch at which `stop()` holds, on this
    rank alone. Raises InputError, after the last batch, where more records are bad than allowed.
    """

    def attempt(index, out=None):
        return _attempt(dataset, index, lambda out: view(index, out), shape, out)

    def fill(index, out):
        return None if index in dataset.bad.known else attempt(int(index), out)

    mine = np.arange(rank, len(dataset), ranks)
    share = max(1, config.optim.batch_size // ranks)
    batches = [mine[start : start + share] for start in range(0, len(mine), share)]
    bad = np.zeros(len(dataset))
    loaded = _load_ahead(fill, batches, shape, config.data.threads)
    for batch, (pixels, labels) in zip(batches, loaded):
        good = np.array([label is not None for label in labels])
        bad[batch[~good]] = 1
        if good.any():
            kept = pixels if good.all() else pixels[good]
            yield kept, _stack([label for label in labels if label is not None])
        if stop():
            break  # the others need this rank for what follows
    dataset.bad.agree(np.arange(len(dataset)), bad, attempt)


def _attempt(dataset, index, view, shape, out):
    """The label of `view(out)`, or None where the record is bad. Without `out` that is all."""
    try:
        return view(np.empty(shape, np.float32) if out is None else out)
    except BadRecord as error:
        dataset.bad.meet(index, error)
    except InputError as error:
        dataset.bad.meet(index, f"{dataset.name(index)}: {error}")
    return None


def _stack(labels):
    stacked = np.stack(labels)
    return stacked if stacked.ndim > 1 else stacked.astype(np.float32)


def _load_ahead(fill, batches, shape, threads):
    """Yield `(pixels (b, *shape), [fill(item, its pixels), ...])` of each batch of items."""
    with ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque()
        try:
            for batch in batches:
                pixels = np.empty((len(batch), *shape), np.float32)
                waiting.append((pixels, [pool.submit(fill, *job) for job in zip(batch, pixels)]))
                if len(waiting) > AHEAD:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            for _, futures in waiting:
                for future in futures:
                    future.cancel()


def _finished(pixels, futures):
    return pixels, [future.result() for future in futures]
