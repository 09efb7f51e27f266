"""Labelled pictures of a `RecordDataset`, prepared for a network, in `train.data.batches`."""

from gluon_glore.data.image import Preprocess, decode_image

from . import batches
from .picture_augment import augment


def training_batches(dataset, bad, config, epoch, rank, ranks, start=0):
    """Yield an epoch's `(pictures (b, C, H, W), labels (b,))` of one rank from step `start` on.

    Raises InputError where more records are bad than `bad` allows.
    """
    preprocess = make_preprocess(config.data)

    def view(index, rng, out):
        data, label = dataset[index]
        picture = decode_image(data, preprocess.channels)
        preprocess.normalize(augment(picture, preprocess.size, config.augment, rng), out)
        return label

    shape = (preprocess.channels, *preprocess.size)
    return batches.training_batches(dataset, bad, view, shape, config, epoch, rank, ranks, start)


def evaluation_batches(dataset, bad, config, rank, ranks, stop=lambda: False):
    """Yield one rank's part of the set, in order; over all ranks each sample comes exactly once.

    Ends after the batch at which `stop()` holds. Raises InputError, after the last batch, where
    more records are bad than allowed.
    """
    preprocess = make_preprocess(config.data)

    def view(index, out):
        data, label = dataset[index]
        preprocess(decode_image(data, preprocess.channels), out)
        return label

    shape = (preprocess.channels, *preprocess.size)
    return batches.evaluation_batches(dataset, bad, view, shape, config, rank, ranks, stop)


def make_preprocess(data) -> Preprocess:
    """The evaluation preprocessing of a `Data` configuration."""
    return Preprocess(size=data.size, resize=data.resize, mean=data.mean, scale=data.scale)
