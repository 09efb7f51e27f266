"""Try some samples of a data set before a run is built on it."""

import numpy as np

from ..utils.errors import InputError
from .records import BadRecord, WrongLabel


def spread(dataset, most):
    """Up to `most` indices spread over a data set, the first and the last among them."""
    return np.linspace(0, len(dataset) - 1, min(len(dataset), most)).astype(int).tolist()


def most_bad(dataset, tried, max_bad):
    """How many bad samples of so many `tried` let a data set pass.

    A single bad one may be chance: it passes where the whole set may have one.
    """
    return min(max_bad * len(dataset), max(1, max_bad * tried)) + 1e-9


def spot_check(dataset, attempt, max_bad, kind, most=20, missing=frozenset()):
    """Call `attempt(index)` for up to `most` samples spread over a data set.

    Raises InputError where it raises one for more of them than `most_bad`; `kind` is what the
    samples are called. A single WrongLabel is none, and raised. Those of `missing` are counted
    already, see `check_missing`, and not tried.
    """
    tried = [index for index in spread(dataset, most) if index not in missing]
    bad = []
    for index in tried:
        try:
            attempt(index)
        except WrongLabel:  # of one sample, but an error of the set
            raise
        except BadRecord as error:  # names the sample itself
            bad.append(error)
        except InputError as error:
            bad.append(f"{dataset.name(index)}: {error}")
    if len(bad) > most_bad(dataset, len(tried), max_bad):
        raise InputError(f"{len(bad)} of {len(tried)} {kind}s tried are bad, as {bad[0]}")
