"""One training step: gradients of a batch, exchanged, and the update."""

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from .precision import make_loss_scale
from .recompute import Segments


class Step:
    """How a step is taken: `step(net, trainer, x, y, number)` -> (logits, losses), float32.

    Parameters
    ----------
    loss : logits `(B, classes)` and labels `(B,)` to losses `(B,)`.
    accumulate : equal parts of the batch, computed one after the other. Above 1 it needs parameters
        that add up their gradients, see `add_gradients`.
    scale : a LossScale; where gradients overflow, it skips the step on all ranks. None: no scaling.
    segments : Segments of the network, which save memory; None runs it as a whole.
    seed : with a number, dropout's masks are a pure function of it, the step's number and the rank.
    """

    def __init__(self, loss=None, accumulate=1, scale=None, segments=None, seed=None):
        self._loss = gluon.loss.SoftmaxCrossEntropyLoss() if loss is None else loss
        self._accumulate = accumulate
        self._scale = scale
        self._segments = segments
        self._seed = seed

    def __call__(self, net, trainer, x, y, number):
        if self._seed is not None:
            mx.random.seed(int(np.random.SeedSequence([*self._seed, number]).generate_state(1)[0]))
        gradients = [p.list_grad()[0] for p in trainer._params if p.grad_req != "null"]
        if self._accumulate > 1:
            for gradient in gradients:
                gradient[:] = 0
        size = len(x) // self._accumulate
        parts = [
            self._backward(net, x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)
        ]
        trainer.allreduce_grads()
        scale = self._scale.scale if self._scale else 1
        if self._scale is None or self._scale.accept(gradients):
            trainer.update(len(x) * scale)
        if len(parts) == 1:
            return parts[0]
        return [mx.nd.concat(*arrays, dim=0) for arrays in zip(*parts)]

    def _backward(self, net, x, y):
        def loss(logits):
            return self._loss(logits, y)

        def head(losses):
            return self._scale and mx.nd.full(losses.shape, self._scale.scale, ctx=losses.context)

        if self._segments:
            logits, losses = self._segments.backward(x, loss, head)
        else:
            with autograd.record():
                logits = net(x)
                losses = loss(logits)
            losses.backward(head(losses))
        return logits.astype("float32", copy=False), losses.astype("float32", copy=False)


def add_gradients(params):
    """Let backward add to the gradients of all trained parameters, not overwrite them."""
    for param in params.values():
        if param.grad_req != "null":
            param.grad_req = "add"


def smoothed_loss(share):
    """Cross entropy where `share` of the target is spread over all classes.

    Szegedy et al. 2016, section 7 (https://arxiv.org/abs/1512.00567).
    """

    def loss(logits, labels):
        logp = mx.nd.log_softmax(logits.astype("float32", copy=False))
        own, all_classes = mx.nd.pick(logp, labels), logp.mean(axis=1)
        return -((1 - share) * own + share * all_classes)

    return loss


def make_step(config, net, comm):
    """The step that a configuration asks for. Call it when the network is initialised."""
    optim = config.optim
    if optim.accumulate > 1:
        add_gradients(net.collect_params())
    return Step(
        loss=smoothed_loss(optim.label_smoothing) if optim.label_smoothing else None,
        accumulate=optim.accumulate,
        scale=make_loss_scale(optim, config.horovod),
        segments=Segments(net, optim.recompute) if optim.recompute else None,
        seed=(config.seed, comm.rank) if net.spec.dropout else None,
    )
