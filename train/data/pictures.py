"""Labelled pictures of a `RecordDataset`, prepared for a network, in `train.data.batches`."""

import functools

from gluon_glore.data.image import Preprocess, decode_image
from gluon_glore.data.records import BadRecord
from gluon_glore.data.spot_check import spot_check, spread
from gluon_glore.utils.errors import InputError

from . import batches
from .missing_files import check_missing
from .picture_augment import augment, choose_crop

READ = 1000  # records of a set to check: a second on a disk, and only rank 0 reads them
DECODED = 10  # pictures


def training_batches(dataset, bad, config, epoch, rank, ranks, start=0):
    """Yield an epoch's `(pictures (b, C, H, W), labels (b,))` of one rank from step `start` on.

    Raises InputError where more records are bad than `bad` allows.
    """
    preprocess = make_preprocess(config.data)
    size, cfg = preprocess.size, config.augment
    least = size if cfg.reduced else None

    def view(index, rng, out):
        data, label = dataset[index]
        choose = functools.partial(choose_crop, size=size, cfg=cfg, rng=rng)
        crop = decode_image(data, preprocess.channels, choose, least)
        preprocess.normalize(augment(crop, size, cfg, rng), out)
        return label

    shape = (preprocess.channels, *preprocess.size)
    return batches.training_batches(dataset, bad, view, shape, config, epoch, rank, ranks, start)


def evaluation_batches(dataset, bad, config, rank, ranks, stop=lambda: False, whole=False):
    """Yield one rank's part of the set, in order; over all ranks each sample comes exactly once.

    `whole` batches are those of `train.data.batches.dealt`. Ends after the batch at which `stop()`
    holds. Raises InputError, after the last batch, where more records are bad than allowed.
    """
    preprocess = make_preprocess(config.data)

    def view(index, out):
        data, label = dataset[index]
        preprocess(decode_image(data, preprocess.channels), out)
        return label

    shape = (preprocess.channels, *preprocess.size)
    return batches.evaluation_batches(dataset, bad, view, shape, config, rank, ranks, stop, whole)


def check_records(dataset, use, max_bad):
    """Read records spread over a `RecordDataset`, and `use(encoded picture)` of some.

    A data set of files has `paths` as well, and is as good. Raises InputError where too many files
    are missing, all of them counted, or records damaged, as `spot_check` counts, where one has a
    label that is no class of the network, or where `use` refuses every picture: then the settings
    do not fit the set.
    """
    missing = check_missing(dataset.path, dataset.paths, max_bad, "picture")
    spot_check(dataset, dataset.__getitem__, max_bad, "record", most=READ, missing=missing)
    used, refused = 0, []
    for index in spread(dataset, DECODED):
        try:
            picture, _ = dataset[index]
        except BadRecord:
            continue
        used += 1
        try:
            use(picture)
        except InputError as error:
            refused.append(f"{dataset.name(index)}: {error}")
    if used and len(refused) == used:
        raise InputError(refused[0])


def make_preprocess(data) -> Preprocess:
    """The evaluation preprocessing of a `Data` configuration."""
    return Preprocess(size=data.size, resize=data.resize, mean=data.mean, scale=data.scale)
