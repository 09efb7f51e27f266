"""One training step: gradients of a batch, exchanged, and the update."""

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

from gluon_glore.utils.errors import InputError

from .bfloat16 import Bfloat16
from .clip import clip_gradients
from .distill import distilled, load_teacher
from .losses import cross_entropy, make_loss
from .precision import make_loss_scale
from .recompute import Segments


class Step:
    """How a step is taken: `step(net, trainer, x, y, number)` -> (logits, losses), float32.

    Parameters
    ----------
    loss : function of the network's outputs and the labels to losses `(B,)`; None: cross entropy.
    accumulate : the number of equal parts in which the batch is computed, one after the other.
        Above 1 the parameters must add up their gradients, see `add_gradients`.
    scale : a LossScale; where gradients overflow, it skips the step on all ranks. None: no scaling.
    segments : Segments of the network, which save memory; None runs it as a whole.
    seed : with a number, dropout's masks are a pure function of it, the step's number and the rank.
    graph : a Block with the network's parameters that is run instead of the network, to train
        them in another way. Where it returns a list or tuple, the first are the logits.
    clip : the largest norm of the step's gradient, over all ranks; 0 for none.
    teacher : a function of pixels, run in inference; `loss` then takes (labels, what it returns) in
        the place of the labels.
    """

    def __init__(
        self,
        loss=None,
        accumulate=1,
        scale=None,
        segments=None,
        seed=None,
        graph=None,
        clip=0.0,
        teacher=None,
    ):
        self._loss = cross_entropy() if loss is None else loss
        self._accumulate = accumulate
        self._scale = scale
        self.segments = segments
        self._seed = seed
        self._graph = graph
        self._clip = clip
        self._teacher = teacher

    def __call__(self, net, trainer, x, y, number):
        """Train on x and y, this rank's share of step `number`: (logits, losses `(B,)`)."""
        if self._seed is not None:
            mx.random.seed(int(np.random.SeedSequence([*self._seed, number]).generate_state(1)[0]))
        gradients = [p.list_grad()[0] for p in trainer._params if p.grad_req != "null"]
        if self._accumulate > 1:
            for gradient in gradients:
                gradient[:] = 0
        size = len(x) // self._accumulate
        parts = [
            self._backward(net, x[i : i + size], y[i : i + size], (number, i))
            for i in range(0, len(x), size)
        ]
        trainer.allreduce_grads()
        scale = self._scale.scale if self._scale else 1
        if self._scale is None or self._scale.accept(gradients):
            if self._clip:  # Horovod averages when it sums, or by `trainer._scale`
                clip_gradients(gradients, self._clip, trainer._scale / (len(x) * scale))
            trainer.update(len(x) * scale)
        if len(parts) == 1:
            return parts[0]
        return [mx.nd.concat(*arrays, dim=0) for arrays in zip(*parts)]

    def _backward(self, net, x, y, place):
        """Compute the gradients of a part of a batch; returns (logits, losses), float32.

        `place` is the number of the step, and of the part's first sample.
        """
        targets = y if self._teacher is None else (y, self._teacher(x))

        def loss(outputs):
            return self._loss(outputs, targets)

        def head(losses):
            return self._scale and mx.nd.full(losses.shape, self._scale.scale, ctx=losses.context)

        if self.segments:
            outputs, losses = self.segments.backward(x, loss, head, (*(self._seed or ()), *place))
        else:
            with autograd.record():
                outputs = net(x) if self._graph is None else self._graph(x)
                losses = loss(outputs)
            losses.backward(head(losses))
        logits = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
        return logits.astype("float32", copy=False), losses.astype("float32", copy=False)


def add_gradients(params):
    """Let backward add to the gradients of all trained parameters, not overwrite them."""
    for param in params.values():
        if param.grad_req != "null":
            param.grad_req = "add"


def make_step(config, net, comm, loss=None, graph=None):
    """The step that a configuration asks for. Call it when the network is initialised.

    `loss` and `graph` as a Step takes them; the loss is that of a classification if None. Raises
    InputError where the configuration asks for what only classification has.
    """
    optim, plain = config.optim, type(config.optim)
    other_loss = loss is not None
    for key, other in {
        "recompute": other_loss or graph is not None,
        "label_smoothing": other_loss,
        "loss": other_loss,
    }.items():
        if other and getattr(optim, key) != getattr(plain, key):
            raise InputError(
                f"config key optim.{key} is for classification networks, use {getattr(plain, key)}"
            )
    distill = getattr(config, "distill", None)
    if other_loss and getattr(config, "mix", None) and config.mix.on:
        raise InputError("config keys mix.mixup and mix.cutmix are for classification, use 0")
    if other_loss and distill and distill.teacher:
        raise InputError("config key distill.teacher is for classification, use ''")
    if not other_loss:
        loss = make_loss(optim)
    teacher = load_teacher(config, net, comm) if distill and distill.teacher else None
    if teacher is not None:
        loss = distilled(loss, distill.weight, distill.temperature)
    if optim.accumulate > 1:
        add_gradients(net.collect_params())
    low = optim.precision == "bfloat16"
    if low and not optim.recompute:
        graph = Bfloat16(net if graph is None else graph)
    return Step(
        loss=loss,
        accumulate=optim.accumulate,
        scale=make_loss_scale(optim, config.horovod),
        segments=make_segments(optim, net),
        seed=(config.seed, comm.rank) if _has_dropout(net) else None,
        graph=graph,
        clip=optim.clip,
        teacher=teacher,
    )


def make_segments(optim, net):
    """The segments in which a network is computed, None where it runs as a whole."""
    low = optim.precision == "bfloat16"
    return Segments(net, optim.recompute, low) if optim.recompute else None


def _has_dropout(block):
    """Whether a block or any within it is a Dropout."""
    return isinstance(block, gluon.nn.Dropout) or any(map(_has_dropout, block._children.values()))
