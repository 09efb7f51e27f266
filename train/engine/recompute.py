"""Less memory for more time: backward computes activations again instead of keeping them.

Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016 (https://arxiv.org/abs/1604.06174).
MXNet's own MXNET_BACKWARD_DO_MIRROR changes nothing for hybridised networks of MXNet 1.9.1.
"""

from mxnet import autograd
from mxnet.gluon import nn

from .bfloat16 import Bfloat16


class Segments:
    """A network in segments of `units` units each, of which only the inputs are kept.

    The last segment, with the classifier and a dropout before it, is computed only once, so that no
    dropout mask has to be repeated. With `bfloat16` each computes in it, from and to float32.
    """

    def __init__(self, net, units, bfloat16=False):
        layers = list(net.features)
        plan = list(net.spec.plan())
        first = net.first_unit
        starts = [0, *range(first + units, first + len(plan), units)]
        ends = [*starts[1:], len(layers)]
        self._net = net
        self._runs = [_run(layers[start:end]) for start, end in zip(starts, ends)]
        self._runs[-1].add(net.output)
        if bfloat16:
            self._runs = [Bfloat16(run, run is self._runs[0]) for run in self._runs]
        for run in self._runs:
            run.hybridize()  # not static_alloc: that keeps its memory between two calls

    def backward(self, x, loss, head):
        """Compute the parameters' gradients; returns (outputs, losses).

        `loss(outputs)` is called under `autograd.record`; `head(losses)` is the gradient that the
        backward pass starts from, None for ones.
        """
        self._net.spec.check_input(x.shape[2:])
        statistics = [p.data(x.context) for p in self._net.collect_params(".*running_.*").values()]
        before = [array.copy() for array in statistics]
        inputs = [x]
        with autograd.train_mode():
            for run in self._runs[:-1]:
                inputs.append(run(inputs[-1]))
        # Where the first pass moves BatchNorm's statistics (cuDNN), the second does it once more.
        for array, old in zip(statistics, before):
            array[:] = old
        with autograd.record():
            inputs[-1].attach_grad()
            outputs = self._runs[-1](inputs[-1])
            losses = loss(outputs)
        losses.backward(head(losses))
        for run in reversed(self._runs[:-1]):
            gradient = inputs.pop().grad
            inputs[-1].attach_grad()
            with autograd.record():
                y = run(inputs[-1])
            y.backward(gradient)
        return outputs, losses


def _run(layers):
    """Layers as one block."""
    run = nn.HybridSequential(prefix="")
    run.add(*layers)
    return run
