"""Less memory for more time: backward computes activations again instead of keeping them.

Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016 (https://arxiv.org/abs/1604.06174).
MXNet's own MXNET_BACKWARD_DO_MIRROR changes nothing for hybridised networks of MXNet 1.9.1.
"""

import mxnet as mx
import numpy as np
from mxnet import autograd
from mxnet.gluon import nn

from .bfloat16 import Bfloat16
from .residual_units import drops_paths


class Segments:
    """A network in segments of `units` units each, of which only the inputs are kept.

    The last segment, with the classifier and a dropout before it, is computed only once. Where
    units drop their branch, each segment has a seed of its own, and draws the same masks again.
    With `bfloat16` each computes in it, from and to float32.
    """

    def __init__(self, net, units, bfloat16=False):
        layers = list(net.features)
        plan = list(net.spec.plan())
        first = net.first_unit
        starts = [0, *range(first + units, first + len(plan), units)]
        ends = [*starts[1:], len(layers)]
        self._net = net
        self._draws = drops_paths(net)
        self.runs = [_run(layers[start:end]) for start, end in zip(starts, ends)]
        self.runs[-1].add(net.output)
        if bfloat16:
            self.runs = [Bfloat16(run, run is self.runs[0]) for run in self.runs]
        for run in self.runs:
            run.hybridize()  # not static_alloc: that keeps its memory between two calls

    def backward(self, x, loss, head, seed=()):
        """Compute the parameters' gradients; returns (outputs, losses).

        `loss(outputs)` is called under `autograd.record`; `head(losses)` is the gradient that the
        backward pass starts from, None for ones. `seed`, a list of whole numbers, is that of all
        random numbers where units drop their branch.
        """
        seeds = np.random.SeedSequence(seed).generate_state(len(self.runs)) if self._draws else ()

        def compute(number, x):
            if len(seeds):
                mx.random.seed(int(seeds[number]))
            return self.runs[number](x)

        self._net.spec.check_input(x.shape[2:])
        statistics = [p.data(x.context) for p in self._net.collect_params(".*running_.*").values()]
        before = [array.copy() for array in statistics]
        inputs = [x]
        with autograd.train_mode():
            for number in range(len(self.runs) - 1):
                inputs.append(compute(number, inputs[-1]))
        # Where the first pass moves BatchNorm's statistics (cuDNN), the second does it once more.
        for array, old in zip(statistics, before):
            array[:] = old
        with autograd.record():
            inputs[-1].attach_grad()
            outputs = compute(len(self.runs) - 1, inputs[-1])
            losses = loss(outputs)
        losses.backward(head(losses))
        for number in reversed(range(len(self.runs) - 1)):
            gradient = inputs.pop().grad
            inputs[-1].attach_grad()
            with autograd.record():
                y = compute(number, inputs[-1])
            y.backward(gradient)
        return outputs, losses


def _run(layers):
    """Layers as one block."""
    run = nn.HybridSequential(prefix="")
    run.add(*layers)
    return run
