"""A share of every class set aside, the same whoever draws it: a validation set of one's own."""

import numpy as np

from ..utils.errors import InputError


def hold_out(labels, share, seed):
    """(places of the rest, places of those held out) of labelled samples, ascending both.

    Of each class `share`, above 0 and below 1, is held out: rounded, at least one sample where it
    has two, and never all. They are drawn by `seed` and the class. Raises InputError where no class
    has two samples.
    """
    labels = np.asarray(labels)
    by_class = np.argsort(labels, kind="stable")
    ends = np.flatnonzero(np.diff(labels[by_class])) + 1
    held_out = np.zeros(len(labels), bool)
    for places in np.split(by_class, ends):
        count = min(max(1, round(share * len(places))), len(places) - 1)
        drawn = np.random.default_rng([seed, labels[places[0]]]).permutation(len(places))[:count]
        held_out[places[drawn]] = True
    if not held_out.any():
        raise InputError("no class has two samples, so that none can be set aside")
    return np.flatnonzero(~held_out).tolist(), np.flatnonzero(held_out).tolist()
