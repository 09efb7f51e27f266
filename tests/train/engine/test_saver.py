import errno

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, get_model
from gluon_glore.weights.manifest import Manifest
from gluon_glore.weights.run_folder import newest_checkpoint
from tests.helpers.exports import TINY
from train.config.sections import Checkpoint
from train.engine.comm import LocalComm
from train.engine.learner import Learner
from train.engine.saver import Saver, on_rank_0
from train.engine.stop import StopFlag, Stopped


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


def test_a_stop_right_after_a_save_leaves_its_checkpoint_and_score(tmp_path):
    net = get_model("tiny", classes=2)
    net.initialize()
    trainer = LocalComm().trainer(net.collect_params(), mx.optimizer.SGD(momentum=0.9))
    learner = Learner(net, trainer, LocalComm(), mx.cpu())
    manifest, stop = Manifest("tiny", ("a", "b"), TINY), StopFlag()
    save = Saver(tmp_path, learner, manifest, (0, 0), Checkpoint(), steps=4, stop=stop)
    save.save(1, score=0.5)
    stop.asked = True
    with pytest.raises(Stopped, match="saved after 1 epochs and 0 steps"):
        save.stop_if_asked(1, 0)
    folder, saved = newest_checkpoint(tmp_path, pytest.fail)
    assert (folder.name, saved.score) == ("epoch-0001", 0.5)
