"""What a trainer asks of a task: what is trained, on what data, and how it is measured."""

from pathlib import Path
from typing import Callable, Iterator, Optional, Protocol, Sequence, Tuple

import numpy as np
from mxnet import nd
from mxnet.gluon import Block

from gluon_glore.weights.manifest import Manifest

from ..data.bad_records import BadRecords
from ..reporting.metrics import Metrics
from .pretrained import Start
from .step import Step

Batches = Iterator[Tuple[np.ndarray, np.ndarray]]  # pixels, labels


class Dataset(Protocol):
    """Samples by number, of which `train.data.batches` makes batches.

    How a sample is read and shown to the network is the task's; it raises `BadRecord` for one that
    can't be read, and `WrongLabel` for a label that no class has. It may have `contents()`, which
    says how many samples of how many classes it has; a run begins with it.
    """

    #: Where it is from, for messages.
    path: Path

    def __len__(self) -> int: ...

    def name(self, i: int) -> str:
        """What to call sample i in a message."""


class Task(Protocol):
    """A task for `train.engine.trainer.run`.

    `train.imagenet.Classification`, `train.cityscapes.Segmentation` and
    `train.kinetics.Recognition` are tasks. `config` is always a `config_class`, `comm` what
    `train.engine.comm.make_comm` returns, `bad` a data set's count of records that can't be used.
    """

    #: The name and the purpose of its command line.
    prog: str
    description: str
    #: Its configuration, a dataclass of sections as `train.config.sections.Config`.
    config_class: type
    #: What its rows in metrics.jsonl measure.
    metrics: Metrics

    def prepare(self, config, comm) -> Tuple[Block, Sequence[Dataset]]:
        """The network, not initialised, and its (training set, validation set).

        Comes after all that can be checked without them. Raises InputError. What all ranks would
        find alike in the data only rank 0 tries.
        """

    def manifest(self, config, net) -> Manifest:
        """What the checkpoints say of the network."""

    def load_weights(self, config, net) -> Optional[Start]:
        """Fill the network with the weights that `config.model.pretrained` names.

        Returns what of it is new and what to say of it; None where there is nothing to say.
        """

    def make_step(self, config, net, comm) -> Step:
        """How a training step is taken, as `train.engine.step.make_step` makes it."""

    def training_batches(
        self,
        dataset: Dataset,
        bad: BadRecords,
        config,
        epoch: int,
        rank: int,
        ranks: int,
        start: int = 0,
    ) -> Batches:
        """Yield a rank's share of each step of an epoch, from step `start` on.

        A function of the seed, epoch and step alone, so that a resumed run sees the same.
        """

    def accuracy(self, logits: nd.NDArray, labels: nd.NDArray) -> nd.NDArray:
        """The share of each sample `(B,)` that is right in training: `metrics.trained`.

        Labels are soft targets `(B, classes)` where the configuration's `mix` mixes pictures.
        """

    def evaluate(
        self, net, dataset: Dataset, bad: BadRecords, config, comm, ctx, stop: Callable[[], bool]
    ):
        """The loss and `metrics.tested` over all ranks, a `train.engine.loop.Meter`.

        Of a part of the data set where `stop()` holds.
        """
