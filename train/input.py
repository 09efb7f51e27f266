"""Batches for one rank: which samples, decoded and augmented by threads ahead of the trainer.

The order of an epoch is one permutation for all ranks, a pure function of (seed, epoch); a step's
pictures are the same however many ranks share them. A sample's view is a pure function of
(seed, epoch, index).
"""

import collections
import contextlib
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

    `start` is the step of the epoch to begin at; nothing before it is read.
    """
    preprocess = make_preprocess(config.data)
    size = config.optim.batch_size
    order = np.random.default_rng([config.seed, epoch]).permutation(len(dataset))

    def load(index):
        data, label = dataset[index]
        rng = np.random.default_rng([config.seed, epoch, index])
        with _naming(dataset, index):
            picture = decode_image(data, preprocess.channels)
            view = augment(picture, preprocess.size, config.augment, rng)
        return preprocess.normalize(view), label

    share = size // ranks
    batches = (
        order[step * size + rank * share : step * size + (rank + 1) * share]
        for step in range(start, steps_per_epoch(len(dataset), size))
    )
    return _load_ahead(load, batches, config.data.threads)


def order(dataset, config):
    """What the order of an epoch's pictures depends on: a step's number means as much as these."""
    return {
        "seed": config.seed,
        "pictures": len(dataset),
        "batch_size": config.optim.batch_size,
    }


def evaluation_batches(dataset, config, rank, ranks):
    """Yield one rank's part of the set, in order; over all ranks each sample comes exactly once."""
    preprocess = make_preprocess(config.data)

    def load(index):
        data, label = dataset[index]
        with _naming(dataset, index):
            return preprocess(decode_image(data, preprocess.channels)), label

    mine = np.arange(rank, len(dataset), ranks)
    share = max(1, config.optim.batch_size // ranks)
    batches = (mine[start : start + share] for start in range(0, len(mine), share))
    return _load_ahead(load, batches, config.data.threads)


def make_preprocess(data) -> Preprocess:
    """The evaluation preprocessing of a `Data` configuration."""
    return Preprocess(size=data.size, resize=data.resize, mean=data.mean, scale=data.scale)


@contextlib.contextmanager
def _naming(dataset, index):
    try:
        yield
    except InputError as error:
        raise BadRecord(f"{dataset.name(index)}: {error}") from None


def _load_ahead(load, batches, threads):
    with ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque()
        try:
            for batch in batches:
                waiting.append([pool.submit(load, int(index)) for index in batch])
                if len(waiting) > AHEAD:
                    yield _stack(waiting.popleft())
            while waiting:
                yield _stack(waiting.popleft())
        finally:
            for futures in waiting:
                for future in futures:
                    future.cancel()


def _stack(futures):
    pictures, labels = zip(*(future.result() for future in futures))
    return np.stack(pictures), np.array(labels, np.float32)
