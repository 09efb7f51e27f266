"""The loop that every trainer shares: one epoch of training, one evaluation."""

import math
import time
from dataclasses import dataclass
from typing import Optional

import mxnet as mx
import numpy as np
from mxnet import gluon

from gluon_glore.errors import InputError

from .precision import all_finite
from .step import Step

_loss = gluon.loss.SoftmaxCrossEntropyLoss()


@dataclass(frozen=True)
class Meter:
    """Averages over samples and ranks since the last reading.

    `top5`: of an evaluation with more than five classes, else None.
    """

    loss: float
    top1: float
    samples: int
    seconds: float
    top5: Optional[float] = None

    @property
    def images_per_second(self) -> float:
        return self.samples / self.seconds


def train_one_epoch(
    net, trainer, batches, comm, ctx, learning_rate, log_every, log, take=None, after_step=None
):
    """One pass over `batches`, `(step, (pictures, labels))` of this rank, steps counted from 0.

    `take` is the Step that is taken, a plain one if None; `learning_rate(step)` gives its rate.
    After every `log_every` steps, and after the last, `log(step, lr, Meter)` is told the averages
    over all ranks since the log before. `after_step(step)` is called after every step and its log,
    and may end the epoch by raising.
    Raises InputError where the loss or a weight is not finite, on all ranks at the same step.
    """

    def report():
        meter = _reduce(comm, sums, samples, started)
        # The weights too: oneDNN's rectifier makes 0 of nan, and a broken network has a loss again.
        loss = meter.loss if all_finite(weights) else math.nan
        if not math.isfinite(loss):
            raise InputError(f"the loss is {loss}: lower optim.lr (now {lr:g})")
        log(step, lr, meter)

    take = take or Step()
    weights = [param.data(ctx) for param in net.collect_params().values()]
    sums, samples, started = _zeros(ctx), 0, time.perf_counter()
    for step, (pictures, labels) in batches:
        x, y = mx.nd.array(pictures, ctx=ctx), mx.nd.array(labels, ctx=ctx)
        lr = learning_rate(step)
        trainer.set_learning_rate(lr)
        logits, losses = take(net, trainer, x, y, step)
        # Kept on the device: reading a number would wait for the step to end.
        sums = sums + mx.nd.concat(losses.sum(), (logits.argmax(axis=1) == y).sum(), dim=0)
        samples += len(labels)
        if (step + 1) % log_every == 0:
            report()
            sums, samples, started = _zeros(ctx), 0, time.perf_counter()
        if after_step:
            after_step(step)
    if samples:
        report()


def evaluate(net, batches, comm, ctx) -> Meter:
    """Loss, top-1 and top-5 accuracy over every rank's `batches` together."""
    sums, samples, started = _zeros(ctx, 4), 0, time.perf_counter()
    for pictures, labels in batches:
        y = mx.nd.array(labels, ctx=ctx)
        logits = net(mx.nd.array(pictures, ctx=ctx)).astype("float32", copy=False)
        hits = (logits.argmax(axis=1) == y).sum()
        sums = sums + mx.nd.concat(_loss(logits, y).sum(), hits, *_top5(logits, y), dim=0)
        samples += len(labels)
    return _reduce(comm, sums, samples, started)


def average_statistics(net, comm):
    """Average BatchNorm's running statistics over the ranks; Horovod never touches them."""
    if comm.size == 1:
        return
    statistics = list(net.collect_params(".*running_(mean|var)").values())
    flat = np.concatenate([p.data(p.list_ctx()[0]).asnumpy() for p in statistics])
    means = (comm.sum(flat) / comm.size).astype(np.float32)
    ends = np.cumsum([p.shape[0] for p in statistics])
    for param, mean in zip(statistics, np.split(means, ends[:-1])):
        param.set_data(mx.nd.array(mean))


def _top5(logits, y):
    """How many samples have their class among the best five, and of how many: none of 5 classes."""
    if logits.shape[1] <= 5:
        return mx.nd.zeros(1, ctx=y.context), mx.nd.zeros(1, ctx=y.context)
    best = logits.topk(k=5, axis=1)
    hits = (best == y.reshape((-1, 1))).sum()
    return hits, mx.nd.full(1, len(y), ctx=y.context)


def _zeros(ctx, count=2):
    return mx.nd.zeros(count, ctx=ctx)


def _reduce(comm, sums, samples, started) -> Meter:
    with comm.waiting():  # the sums are behind all steps since, and those behind their gradients
        sums = sums.asnumpy()
    loss, hits, *top5, total = comm.sum([*sums, samples])
    seconds = time.perf_counter() - started
    top5 = top5[0] / top5[1] if top5 and top5[1] else None
    return Meter(loss / total, hits / total, int(total), seconds, top5)
