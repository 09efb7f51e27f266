"""A labelled set's samples, each once and in order: read ahead by threads, bad ones left out."""

import sys

from tqdm import tqdm

from ..utils.ahead import ordered_map
from ..utils.errors import InputError
from .records import BadRecord, WrongLabel

AHEAD = 3  # batches read while the network computes


def in_turn(dataset, read, bad, batch=1, threads=2, max_bad=0.01, word="record"):
    """Yield lists of what `read(i)` gives for up to `batch` samples of a data set, in its order.

    `threads` read. A sample for which it raises InputError is named on stderr and left out, and the
    list `bad` gets the error; a list may so be shorter, or empty. Raises InputError, calling a
    sample `word`, where they are more than the share `max_bad`; WrongLabel as it comes.
    """

    def load(start):
        samples, errors = [], []
        for i in range(start, min(start + batch, len(dataset))):
            try:
                samples.append(read(i))
            except WrongLabel:  # of one sample, but an error of the set
                raise
            except BadRecord as error:  # names the sample itself
                errors.append(error)
            except InputError as error:
                errors.append(BadRecord(f"{dataset.name(i)}: {error}"))
        return samples, errors

    allowed = int(max_bad * len(dataset) + 1e-9)  # 0.29 of 100 is 29, not 28
    starts = range(0, len(dataset), batch)
    for samples, errors in ordered_map(load, starts, threads, AHEAD + threads):
        for error in errors:
            tqdm.write(f"skipped {error}", file=sys.stderr)
        bad += errors
        if len(bad) > allowed:
            raise InputError(
                f"{dataset.path}: more than {allowed} of {len(dataset)} {word}s are bad, as "
                f"{bad[0]}"
            )
        yield samples
