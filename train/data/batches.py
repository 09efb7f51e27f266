"""The batches of any trainer: threads make the samples while the network computes.

The order of an epoch is one permutation for all ranks, a pure function of (seed, epoch); a step's
samples are the same however many ranks share them. A sample's view is a pure function of
(seed, epoch, index). In training the next good record of the permutation stands in for a bad one,
so that all ranks keep their steps; evaluation leaves bad ones out.

A data set has a length, `path` and `name(index)` for messages. `view`, a function of a sample's
index, reads the sample and shows it as the network sees it. `bad` is the set's `BadRecords`. A
label that no class has (WrongLabel) is no bad sample: it ends the run, on all ranks.
Configurations say the seed, `optim.batch_size` and `data.threads`.
"""

import itertools

import cv2
import numpy as np

from gluon_glore.data.records import BadRecord, WrongLabel
from gluon_glore.utils.ahead import ordered_map
from gluon_glore.utils.errors import InputError

from .buffers import Buffers

AHEAD = 3  # batches in the making while the network computes
_PART = 8  # samples that a thread hands over at once: one by one, photographs took 8 % longer
# One more is with the network, and one is half made.
_BUFFERS = Buffers(keep=AHEAD + 2)

cv2.setNumThreads(1)  # the parallelism is that of `data.threads`


def steps_per_epoch(samples, batch_size):
    """Number of whole batches in an epoch; samples left over are drawn in other epochs.

    Raises InputError where the samples do not fill one batch.
    """
    if samples < batch_size:
        raise InputError(f"{samples} training pictures do not fill one batch of {batch_size}")
    return samples // batch_size


def order(dataset, config):
    """What the order of an epoch's samples depends on; a checkpoint within an epoch keeps it."""
    return {
        "seed": config.seed,
        "pictures": len(dataset),
        "batch_size": config.optim.batch_size,
    }


def training_batches(dataset, bad, view, shape, config, epoch, rank, ranks, start=0):
    """Yield an epoch's `(pixels (b, *shape), labels (b, ...))` of one rank, b = batch / ranks.

    `view(index, rng, out)` writes sample `index` to `out`, float32 of `shape`, as it is seen with
    the numpy Generator `rng`, and returns its label: a number (labels are float32 then) or an array
    alike for all. Where it raises InputError, the record is bad.

    Begins at the epoch's step `start`, and reads no sample of the steps before. Raises InputError
    where more records are bad than `bad` allows.
    """
    size = config.optim.batch_size
    share = size // ranks
    order = np.random.default_rng([config.seed, epoch]).permutation(len(dataset))

    def attempt(index, drawn=0, out=None):
        # By the index that was drawn: a sample that stands in shows another view than its own.
        rng = np.random.default_rng([config.seed, epoch, drawn])
        return _attempt(dataset, bad, index, lambda out: view(index, rng, out), shape, out)

    def fill(position, out):
        """(label, whether another record stands in) of the record at a position of the order."""
        index = order[position]
        for candidate in map(int, itertools.chain(order[position:], order[:position])):
            if candidate in bad.known:
                continue
            label = attempt(candidate, index, out)
            if label is not None or bad.hopeless:
                return label, candidate != index or label is None
        return None, True

    steps = range(start, steps_per_epoch(len(dataset), size))
    mine = [np.arange(share) + step * size + rank * share for step in steps]
    for step, (pixels, results) in zip(steps, _load_ahead(fill, mine, shape, config.data.threads)):
        labels, replaced = zip(*results)
        gave_up = any(label is None for label in labels)
        found_bad = np.zeros(size)
        found_bad[rank * share : (rank + 1) * share] = replaced
        bad.agree(order[step * size : (step + 1) * size], found_bad, attempt, gave_up)
        yield pixels, _stack(labels)


def dealt(samples, size, rank, ranks):
    """The indices of one rank's batches, where the batches of one process are dealt out in turn.

    So a batch is the same on any number of ranks, and so is what a network computes of it, to the
    bit: oneDNN rounds a sample by its place in the batch.
    """
    indices = np.arange(samples)
    return [indices[start : start + size] for start in range(rank * size, samples, ranks * size)]


def evaluation_batches(
    dataset, bad, view, shape, config, rank, ranks, stop=lambda: False, whole=False
):
    """Yield one rank's part of the set, in order; over all ranks each sample comes exactly once.

    A batch is a rank's share of `optim.batch_size` samples, or as many where `whole`: see `dealt`.
    `view(index, out)` is as in training, but without a random generator. Bad records are left out;
    after the last batch `bad.known` has them. Ends after the batch at which `stop()` holds, on this
    rank alone. Raises InputError, after the last batch, where more records are bad than allowed.
    """

    def attempt(index, out=None):
        return _attempt(dataset, bad, index, lambda out: view(index, out), shape, out)

    def fill(index, out):
        return None if index in bad.known else attempt(int(index), out)

    mine = np.arange(rank, len(dataset), ranks)
    share = max(1, config.optim.batch_size // ranks)
    batches = [mine[start : start + share] for start in range(0, len(mine), share)]
    if whole:
        batches = dealt(len(dataset), config.optim.batch_size, rank, ranks)
    found_bad = np.zeros(len(dataset))
    loaded = _load_ahead(fill, batches, shape, config.data.threads)
    for batch, (pixels, labels) in zip(batches, loaded):
        good = np.array([label is not None for label in labels])
        found_bad[batch[~good]] = 1
        if good.any():
            kept = pixels if good.all() else pixels[good]
            yield kept, _stack([label for label in labels if label is not None])
        if stop() or bad.wrong_label:
            break  # the others need this rank for what follows
    bad.agree(np.arange(len(dataset)), found_bad, attempt)


def _attempt(dataset, bad, index, view, shape, out):
    """The label of `view(out)`, or None where the record is bad. `out` None: only try it."""
    try:
        return view(np.empty(shape, np.float32) if out is None else out)
    except (BadRecord, WrongLabel) as error:
        bad.meet(index, error)
    except InputError as error:
        bad.meet(index, f"{dataset.name(index)}: {error}")
    return None


def _stack(labels):
    """Labels of a batch as one array: float32 of numbers, else of the arrays' own type."""
    stacked = np.stack(labels)
    return stacked if stacked.ndim > 1 else stacked.astype(np.float32)


def _load_ahead(fill, batches, shape, threads):
    """Yield `(pixels (b, *shape), [fill(item, its pixels), ...])` of each batch of items."""
    ahead = AHEAD * max(map(len, batches), default=1)
    # Threads hand over several samples at once, where enough parts are left for all of them.
    size = max(1, min(_PART, ahead // (2 * threads)))

    def parts():
        for batch in batches:
            pixels = _BUFFERS.take((len(batch), *shape))
            for start in range(0, len(batch), size):
                yield pixels, start, batch[start : start + size]

    def make(part):
        pixels, start, items = part
        return pixels, [fill(item, pixels[row]) for row, item in enumerate(items, start)]

    results = []
    for pixels, part in ordered_map(make, parts(), threads, -(-ahead // size)):
        results += part
        if len(results) == len(pixels):
            yield pixels, results
            results = []
