"""Batches for one rank: which samples, decoded and augmented by threads ahead of the trainer.

The order of an epoch is one permutation for all ranks, a pure function of (seed, epoch); a step's
pictures are the same however many ranks share them. A sample's view is a pure function of
(seed, epoch, index). In training the next good record of the permutation stands in for a bad one,
so that all ranks keep their steps; evaluation leaves bad ones out.
"""

import collections
import itertools
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from gluon_glore.errors import InputError
from gluon_glore.image import Preprocess, decode_image

from .augment import augment
from .records import BadRecord

AHEAD = 3  # batches in the making while the network computes

cv2.setNumThreads(1)  # the pool below is the parallelism


def steps_per_epoch(samples, batch_size):
    """Whole batches in an epoch; what is left over comes in another epoch's order.

    Raises InputError where there is not one.
    """
    if samples < batch_size:
        raise InputError(f"{samples} training pictures do not fill one batch of {batch_size}")
    return samples // batch_size


def training_batches(dataset, config, epoch, rank, ranks, start=0):
    """Yield an epoch's `(pictures (b, C, H, W), labels (b,))` of one rank, b = batch / ranks.

    Begins at the epoch's step `start`, and decodes nothing of what lies before. Raises InputError
    where more records are bad than `dataset.bad` allows.
    """
    preprocess = make_preprocess(config.data)
    size = config.optim.batch_size
    share = size // ranks
    order = np.random.default_rng([config.seed, epoch]).permutation(len(dataset))

    def attempt(index, drawn=0, out=None):
        # By the index that was drawn: a picture that stands in shows another view than its own.
        rng = np.random.default_rng([config.seed, epoch, drawn])

        def write(picture):
            preprocess.normalize(augment(picture, preprocess.size, config.augment, rng), out)

        return _attempt(dataset, index, preprocess.channels, write)

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
    loaded = _load_ahead(fill, mine, (preprocess.channels, *preprocess.size), config.data.threads)
    for step, (pictures, results) in zip(steps, loaded):
        labels, replaced = zip(*results)
        bad = np.zeros(size)
        bad[rank * share : (rank + 1) * share] = replaced
        dataset.bad.agree(order[step * size : (step + 1) * size], bad, attempt, None in labels)
        yield pictures, np.array(labels, np.float32)


def order(dataset, config):
    """What the order of an epoch's pictures depends on: a step's number means as much as these."""
    return {
        "seed": config.seed,
        "pictures": len(dataset),
        "batch_size": config.optim.batch_size,
    }


def evaluation_batches(dataset, config, rank, ranks, stop=lambda: False):
    """Yield one rank's part of the set, in order; over all ranks each sample comes exactly once.

    Bad records are left out, and in `dataset.bad.known` after the last batch. Ends after the batch
    at which `stop()` holds, on this rank alone. Raises InputError, after the last batch, where more
    records are bad than allowed.
    """
    preprocess = make_preprocess(config.data)

    def attempt(index, out=None):
        return _attempt(dataset, index, preprocess.channels, lambda x: preprocess(x, out))

    def fill(index, out):
        return None if index in dataset.bad.known else attempt(int(index), out)

    mine = np.arange(rank, len(dataset), ranks)
    share = max(1, config.optim.batch_size // ranks)
    batches = [mine[start : start + share] for start in range(0, len(mine), share)]
    bad = np.zeros(len(dataset))
    shape = (preprocess.channels, *preprocess.size)
    for batch, (pictures, labels) in zip(
        batches, _load_ahead(fill, batches, shape, config.data.threads)
    ):
        good = np.array([label is not None for label in labels])
        bad[batch[~good]] = 1
        if good.all():
            yield pictures, np.array(labels, np.float32)
        elif good.any():
            yield pictures[good], np.array(labels)[good].astype(np.float32)
        if stop():
            break  # the others need this rank for what follows
    dataset.bad.agree(np.arange(len(dataset)), bad, attempt)


def make_preprocess(data) -> Preprocess:
    """The evaluation preprocessing of a `Data` configuration."""
    return Preprocess(size=data.size, resize=data.resize, mean=data.mean, scale=data.scale)


def _attempt(dataset, index, channels, write):
    """`write(picture)` a record's decoded picture; its label, or None where the record is bad."""
    try:
        data, label = dataset[index]
        try:
            write(decode_image(data, channels))
        except InputError as error:
            raise BadRecord(f"{dataset.name(index)}: {error}") from None
    except BadRecord as error:
        dataset.bad.meet(index, error)
        return None
    return label


def _load_ahead(fill, batches, shape, threads):
    """Yield `(pictures (b, *shape), [fill(item, its picture), ...])` of each batch of items."""
    with ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque()
        try:
            for batch in batches:
                pictures = np.empty((len(batch), *shape), np.float32)
                waiting.append(
                    (pictures, [pool.submit(fill, *job) for job in zip(batch, pictures)])
                )
                if len(waiting) > AHEAD:
                    yield _finished(*waiting.popleft())
            while waiting:
                yield _finished(*waiting.popleft())
        finally:
            for _, futures in waiting:
                for future in futures:
                    future.cancel()


def _finished(pictures, futures):
    return pictures, [future.result() for future in futures]
