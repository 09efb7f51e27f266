"""A network in training, what updates it and where it runs: what the parts of a trainer share."""

from dataclasses import dataclass
from typing import Union

import mxnet as mx
from mxnet.gluon import Block

from .comm import HorovodComm, LocalComm


@dataclass(frozen=True)
class Learner:
    """`trainer` updates `net` and keeps its momentum; it runs on `ctx`, `comm` has the others."""

    net: Block
    trainer: mx.gluon.Trainer
    comm: Union[LocalComm, HorovodComm]
    ctx: mx.Context
