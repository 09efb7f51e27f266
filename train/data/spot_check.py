"""Try some samples of a data set before a run is built on it."""

import numpy as np

from gluon_glore.data.records import BadRecord
from gluon_glore.utils.errors import InputError

_SAMPLE = 20  # two seconds of scenes of 2048x1024 pixels


def spot_check(dataset, attempt, max_bad, kind):
    """`attempt(index)` samples spread over a data set, the first and the last among them.

    Raises InputError where for more of them than the share `max_bad` it raises one: they are bad,
    and `kind` says what they are. One may be chance, and is let pass where the whole set may have
    one.
    """
    tried = np.linspace(0, len(dataset) - 1, min(len(dataset), _SAMPLE)).astype(int).tolist()
    bad = []
    for index in tried:
        try:
            attempt(index)
        except BadRecord as error:  # names itself
            bad.append(error)
        except InputError as error:
            bad.append(f"{dataset.name(index)}: {error}")
    if len(bad) > min(max_bad * len(dataset), max(1, max_bad * len(tried))) + 1e-9:
        raise InputError(f"{len(bad)} of {len(tried)} {kind}s tried are bad, as {bad[0]}")


SAMPLE = 1000  # records a set: a second on a disk, and rank 0 alone reads them


def check_records(dataset, use, max_bad):
    """Read records spread over a `RecordDataset`, the first and the last among them.

    Raises InputError where more than the share `max_bad` is damaged or has a label that is no class
    of the network, or where of ten pictures `use(encoded picture)` refuses all.
    """
    places = np.linspace(0, len(dataset) - 1, min(len(dataset), SAMPLE)).astype(int)
    good, bad = [], []
    for index in places:
        try:
            good.append((index, dataset[index][0]))
        except BadRecord as error:
            bad.append(error)
    if len(bad) > max_bad * len(places):
        raise InputError(f"{len(bad)} of {len(places)} records tried are bad, as {bad[0]}")
    tried = good[:: -(-len(good) // 10)]
    refused = []
    for index, picture in tried:
        try:
            use(picture)
        except InputError as error:
            refused.append(f"{dataset.name(index)}: {error}")
    if len(refused) == len(tried):
        raise InputError(refused[0])
