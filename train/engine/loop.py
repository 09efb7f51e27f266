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
    """Averages over the `samples` of all ranks that were seen in so many `seconds`.

    `figures` are by the keys of the task's `Metrics`, None for what has no meaning (top-5 of five
    classes or less).
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
        """Loss and figures with their titles, rounded to so many digits."""
        known = {TITLES[key]: value for key, value in self.figures.items() if value is not None}
        figures = {"loss": self.loss, **known}
        return ", ".join(f"{name} {value:.{digits}f}" for name, value in figures.items())


def top1(logits, labels):
    """1 where a sample's class has the highest logit, else 0: (B, classes), (B,) -> (B,).

    Of soft targets (B, classes) the heaviest class, the first of two alike, is taken for its own.
    """
    own = labels if labels.ndim == 1 else labels.argmax(axis=1)
    return logits.argmax(axis=1) == own


def train_one_epoch(
    learner, batches, learning_rate, log, log_every, step=None, after_step=None, figures=None
):
    """Train a `Learner` on `batches`, this rank's `(number of the step, (pixels, labels))`.

    Steps count from 0 over the run. `learning_rate(number)` gives a step's rate, `step` is the
    `Step` that is taken, a plain one by default. After every `log_every` steps, and after the last,
    `log(number, rate, Meter)` gets the averages over all ranks since the log before.
    `after_step(number)` is called after every step and its log; what it raises ends the epoch.
    `figures` says what to average beside the loss: functions of `(logits, labels)` to `(B,)` by
    their key in `Meter.figures`; by default top-1.

    Raises InputError where the loss or a weight is not finite, on all ranks at the same step.
    """

    def report():
        (loss, *shares), total, seconds = _reduce(comm, sums, samples, started)
        # The weights too: oneDNN's rectifier makes 0 of nan, and a broken network has a loss again.
        loss = loss if all_finite(weights) else math.nan
        if not math.isfinite(loss):
            raise InputError(f"the loss is {loss}: lower optim.lr (now {rate:g})")
        means = {key: share / total for key, share in zip(figures, shares)}
        log(number, rate, Meter(loss / total, total, seconds, means))

    net, trainer, comm, ctx = learner.net, learner.trainer, learner.comm, learner.ctx
    step = step or Step()
    figures = figures or {"top1": top1}
    weights = [param.data(ctx) for param in net.collect_params().values()]
    zeros = mx.nd.zeros(1 + len(figures), ctx=ctx)
    sums, samples, started = zeros, 0, time.perf_counter()
    for number, (pixels, labels) in batches:
        x, y = mx.nd.array(pixels, ctx=ctx), mx.nd.array(labels, ctx=ctx)
        rate = learning_rate(number)
        trainer.set_learning_rate(rate)
        logits, losses = step(net, trainer, x, y, number)
        # Kept on the device: reading a number would wait for the step to end.
        shares = (share(logits, y).sum() for share in figures.values())
        sums = sums + mx.nd.concat(losses.sum(), *shares, dim=0)
        samples += len(labels)
        if (number + 1) % log_every == 0:
            report()
            sums, samples, started = zeros, 0, time.perf_counter()
        if after_step:
            after_step(number)
    if samples:
        report()


def evaluate(net, batches, comm, ctx, keep=lambda logits, labels: None) -> Meter:
    """Loss, top-1 and top-5 accuracy over every rank's `batches` together.

    `net` is any function of pixels to logits. `keep(logits (B, classes), labels (B,))` gets those
    of every batch, on the device.
    """
    sums, samples, started = mx.nd.zeros(4, ctx=ctx), 0, time.perf_counter()
    for pictures, labels in batches:
        y = mx.nd.array(labels, ctx=ctx)
        logits = net(mx.nd.array(pictures, ctx=ctx)).astype("float32", copy=False)
        hits = top1(logits, y).sum()
        sums = sums + mx.nd.concat(_loss(logits, y).sum(), hits, *_top5(logits, y), dim=0)
        keep(logits, y)
        samples += len(labels)
    (loss, hits, best, of), total, seconds = _reduce(comm, sums, samples, started)
    seen = max(1, total)  # none where all are bad, which the caller says
    figures = {"top1": hits / seen, "top5": best / of if of else None}
    return Meter(loss / seen, total, seconds, figures)


def _top5(logits, y):
    """How many samples have their class among the best five, and of how many: none of 5 classes."""
    if logits.shape[1] <= 5:
        return mx.nd.zeros(1, ctx=y.context), mx.nd.zeros(1, ctx=y.context)
    # As `accuracy.places` counts, of equal logits too; which of these `topk` takes, nobody can say.
    own, label = logits.pick(y, axis=1).reshape((-1, 1)), y.reshape((-1, 1))
    number = mx.nd.arange(logits.shape[1], ctx=y.context).reshape((1, -1))
    later = mx.nd.broadcast_greater_equal(number, label)
    behind = mx.nd.broadcast_lesser(logits, own) + mx.nd.broadcast_equal(logits, own) * later
    hits = ((1 - behind).sum(axis=1) < 5).sum()
    return hits, mx.nd.full(1, len(y), ctx=y.context)


def _reduce(comm, sums, samples, started):
    """Sums and samples over all ranks, and the seconds since `started`."""
    with comm.waiting():  # the sums are behind all steps since, and those behind their gradients
        sums = sums.asnumpy()
    *sums, total = comm.sum([*sums, samples])
    return sums, int(total), time.perf_counter() - started
