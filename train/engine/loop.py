"""The loop that every trainer shares: one epoch of training, one evaluation."""

import math
import time
from dataclasses import dataclass
from typing import Dict, Optional

import mxnet as mx
from mxnet import gluon

from gluon_glore.utils.errors import InputError

from ..reporting.metrics import TITLES
from .precision import all_finite
from .step import Step

_loss = gluon.loss.SoftmaxCrossEntropyLoss()


@dataclass(frozen=True)
class Meter:
    """Averages over samples and ranks since the last reading.

    `figures` are those of the task's `Measures` that are known here, None for what has no meaning
    (top-5 of five classes or less).
    """

    loss: float
    samples: int
    seconds: float
    figures: Dict[str, Optional[float]]

    @property
    def images_per_second(self) -> float:
        """Samples a second, of all ranks together."""
        return self.samples / self.seconds

    def text(self, digits) -> str:
        """Loss and figures in words, with so many digits."""
        known = {TITLES[key]: value for key, value in self.figures.items() if value is not None}
        figures = {"loss": self.loss, **known}
        return ", ".join(f"{name} {value:.{digits}f}" for name, value in figures.items())


def right(logits, y):
    """1 where a sample's class has the highest logit, else 0: (B, classes), (B,) -> (B,)."""
    return logits.argmax(axis=1) == y


def train_one_epoch(
    net,
    trainer,
    batches,
    comm,
    ctx,
    learning_rate,
    log_every,
    log,
    take=None,
    after_step=None,
    figures=None,
):
    """One pass over `batches`, `(step, (pictures, labels))` of this rank, steps counted from 0.

    `take` is the Step that is taken, a plain one if None; `learning_rate(step)` gives its rate.
    After every `log_every` steps, and after the last, `log(step, lr, Meter)` is told the averages
    over all ranks since the log before. `after_step(step)` is called after every step and its log,
    and may end the epoch by raising. `figures` says what to average beside the loss: functions of
    `(logits, labels)` to `(B,)` by their key in `Meter.figures`; top1 if None.
    Raises InputError where the loss or a weight is not finite, on all ranks at the same step.
    """

    def report():
        (loss, *shares), total, seconds = _reduce(comm, sums, samples, started)
        # The weights too: oneDNN's rectifier makes 0 of nan, and a broken network has a loss again.
        loss = loss if all_finite(weights) else math.nan
        if not math.isfinite(loss):
            raise InputError(f"the loss is {loss}: lower optim.lr (now {lr:g})")
        means = {key: share / total for key, share in zip(figures, shares)}
        log(step, lr, Meter(loss / total, total, seconds, means))

    take = take or Step()
    figures = figures or {"top1": right}
    weights = [param.data(ctx) for param in net.collect_params().values()]
    zeros = mx.nd.zeros(1 + len(figures), ctx=ctx)
    sums, samples, started = zeros, 0, time.perf_counter()
    for step, (pictures, labels) in batches:
        x, y = mx.nd.array(pictures, ctx=ctx), mx.nd.array(labels, ctx=ctx)
        lr = learning_rate(step)
        trainer.set_learning_rate(lr)
        logits, losses = take(net, trainer, x, y, step)
        # Kept on the device: reading a number would wait for the step to end.
        shares = (share(logits, y).sum() for share in figures.values())
        sums = sums + mx.nd.concat(losses.sum(), *shares, dim=0)
        samples += len(labels)
        if (step + 1) % log_every == 0:
            report()
            sums, samples, started = zeros, 0, time.perf_counter()
        if after_step:
            after_step(step)
    if samples:
        report()


def evaluate(net, batches, comm, ctx) -> Meter:
    """Loss, top-1 and top-5 accuracy over every rank's `batches` together."""
    sums, samples, started = mx.nd.zeros(4, ctx=ctx), 0, time.perf_counter()
    for pictures, labels in batches:
        y = mx.nd.array(labels, ctx=ctx)
        logits = net(mx.nd.array(pictures, ctx=ctx)).astype("float32", copy=False)
        hits = right(logits, y).sum()
        sums = sums + mx.nd.concat(_loss(logits, y).sum(), hits, *_top5(logits, y), dim=0)
        samples += len(labels)
    (loss, hits, best, of), total, seconds = _reduce(comm, sums, samples, started)
    figures = {"top1": hits / total, "top5": best / of if of else None}
    return Meter(loss / total, total, seconds, figures)


def _top5(logits, y):
    """How many samples have their class among the best five, and of how many: none of 5 classes."""
    if logits.shape[1] <= 5:
        return mx.nd.zeros(1, ctx=y.context), mx.nd.zeros(1, ctx=y.context)
    best = logits.topk(k=5, axis=1)
    hits = (best == y.reshape((-1, 1))).sum()
    return hits, mx.nd.full(1, len(y), ctx=y.context)


def _reduce(comm, sums, samples, started):
    """Sums and samples over all ranks, and the seconds since `started`."""
    with comm.waiting():  # the sums are behind all steps since, and those behind their gradients
        sums = sums.asnumpy()
    *sums, total = comm.sum([*sums, samples])
    return sums, int(total), time.perf_counter() - started
