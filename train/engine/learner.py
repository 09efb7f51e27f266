"""A network in training, what updates it and where it runs: what the parts of a trainer share."""

import contextlib
from dataclasses import dataclass
from typing import Optional, Union

import mxnet as mx
from mxnet.gluon import Block

from .comm import HorovodComm, LocalComm
from .norm_statistics import average_statistics
from .weight_average import WeightAverage


@dataclass(frozen=True)
class Learner:
    """`trainer` updates `net` and keeps its momentum; it runs on `ctx`, `comm` has the others.

    With an `average` of the weights this is what is evaluated and saved.
    """

    net: Block
    trainer: mx.gluon.Trainer
    comm: Union[LocalComm, HorovodComm]
    ctx: mx.Context
    average: Optional[WeightAverage] = None

    def tested(self) -> Block:
        """The network to evaluate."""
        return self.net if self.average is None else self.average.network()

    @contextlib.contextmanager
    def measured(self):
        """Yield the network to measure BatchNorm's running statistics of, which are kept after."""
        if self.average is None:
            yield self.net
            return
        average_statistics(self.net, self.comm)  # its own are those that training goes on with
        net = self.average.network(gradients=True)
        yield net
        self.average.keep_statistics(net)

    def share_statistics(self):
        """Average BatchNorm's running statistics over the ranks, in place."""
        average_statistics(self.net, self.comm)
        if self.average is not None:
            self.average.share_statistics(self.comm)
