"""Try some samples of a data set before a run is built on it."""

import numpy as np

from gluon_glore.errors import InputError

from .records import BadRecord

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
