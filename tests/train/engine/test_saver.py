import errno

import numpy as np
import pytest

from gluon_glore import InputError
from train.engine.comm import LocalComm
from train.engine.saver import on_rank_0


class Rank(LocalComm):
    """Stands for one of two ranks; the other has or has not failed."""

    size = 2

    def __init__(self, rank, other_failed=False):
        self.rank, self.other_failed = rank, other_failed

    def sum(self, values):
        return np.asarray(values, np.float64) + self.other_failed


def full():
    raise OSError(errno.ENOSPC, "No space left on device", "run/metrics.jsonl")


def test_only_rank_0_writes():
    written = []
    for rank in (0, 1):
        on_rank_0(Rank(rank), lambda rank=rank: written.append(rank))
    assert written == [0]


def test_all_ranks_fail_where_rank_0_does_and_it_alone_says_why():
    with pytest.raises(InputError, match="run/metrics.jsonl: No space left on device"):
        on_rank_0(Rank(0), full)
    with pytest.raises(InputError, match="rank 0 could not write, see its error"):
        on_rank_0(Rank(1, other_failed=True), full)
