"""BatchNorm over the batches of all ranks, for training.

Where a rank holds few pictures, as in segmentation, their statistics say little (Peng et al. 2018,
MegDet, section 3.3, https://arxiv.org/abs/1711.07240). All passes over the activations use MXNet's
own BatchNorm operator, which is fast everywhere, with given moments; only vectors of one number a
channel go to the other ranks.
"""

import functools
import math
import weakref

import mxnet as mx
import numpy as np
from mxnet import autograd
from mxnet.gluon import HybridBlock

from gluon_glore.layers.basic import Norm, is_frozen
from gluon_glore.utils.errors import InputError

_comms = weakref.WeakValueDictionary()  # by id: an operator's options are strings


class Synchronized(HybridBlock):
    """The graph of `block` for training, whose every BatchNorm is one over all ranks of `comm`.

    Takes and returns what `block` does, with the very parameters of `block` and none of its own.
    `block` itself is not changed: evaluate and export that. Running statistics move in the forward
    of training, alike on all ranks.

    All ranks must run it forward and backward the same number of times. BatchNorms that are frozen
    (`layers.freeze_norm`) stay so; raises InputError where none is left to synchronize.
    """

    def __init__(self, block, comm):
        super().__init__(prefix="")
        norms = []
        block.apply(lambda child: norms.append(child) if isinstance(child, Norm) else None)
        self._norms = [norm for norm in norms if not is_frozen(norm.norm)]
        if not self._norms:
            raise InputError(
                f"no BatchNorm to synchronize: of the network's {len(norms)} all are frozen"
            )
        self._block = (block,)  # not as a child, which hybridize() and cast() would reach
        self._comm = comm
        _comms[str(id(comm))] = comm
        super().hybridize(static_alloc=True, static_shape=True)

    def hybridize(self, *_, **__):
        """Do nothing: this graph is always a static one, and `block` has its own."""

    def collect_params(self, select=None):
        """The parameters of the block."""
        return self._block[0].collect_params(select)

    def hybrid_forward(self, F, x):
        """What the block makes of x, `(B, ...) -> (B, ...)`, its BatchNorms over all ranks."""
        # Called with symbols, once, to draw the graph.
        for norm in self._norms:
            norm.stand_in = self._normalize
        try:
            return self._block[0](x)
        finally:
            for norm in self._norms:
                norm.stand_in = None

    def _normalize(self, F, x, norm):
        """What takes the place of a `Norm` in the graph."""
        arrays = (norm.gamma, norm.beta, norm.running_mean, norm.running_var)
        y, *_ = F.Custom(
            x,
            *(array.var() for array in arrays),
            op_type="glore_sync_norm",
            comm=str(id(self._comm)),
            layer=norm.name,
            eps=norm._kwargs["eps"],
            momentum=norm._kwargs["momentum"],
            name=f"{norm.name}_over_ranks",
        )
        return y


def combine(counts, means, variances):
    """Mean and biased variance of all parts together: `(parts,)`, `(parts, C)` twice -> `(C,)`.

    A sum of squared differences, never a difference of squares, which would lose digits where the
    mean is large (Chan et al. 1979, Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances).
    """
    shares = (counts / counts.sum())[:, None]
    mean = (shares * means).sum(axis=0)
    return mean, (shares * (variances + (means - mean) ** 2)).sum(axis=0)


def moments(x, eps):
    """Mean and biased variance of each channel of an NDArray `(B, C, ...)`, float64 `(C,)`.

    First those of short runs of numbers, each run as a channel of BatchNorm: over a whole channel
    it adds up in 32 bits, and of 384 x 384 locations with mean 1e4 and deviation 1 it makes a
    deviation of 50 on a processor.
    """
    batch, channels, *space = x.shape
    run = run_length(math.prod(space))
    runs = x.reshape((1, -1, 1, run))
    ones = mx.nd.ones(runs.shape[1], ctx=x.context, dtype=vector_type(x.dtype))
    with autograd.train_mode():
        _, *outputs = mx.nd.BatchNorm(
            runs, ones, ones, ones.copy(), ones.copy(), eps=eps, output_mean_var=True
        )
    means, inverse = (
        values.asnumpy().astype(np.float64).reshape(batch, channels, -1).swapaxes(1, 2)
        for values in outputs
    )
    means, variances = (v.reshape(-1, channels) for v in (means, inverse**-2 - eps))
    return combine(np.ones(len(means)), means, variances)


@functools.cache
def run_length(size):
    """The least divisor of `size` from its root on: about as many runs as numbers in each."""
    return next(n for n in range(math.isqrt(size - 1) + 1, size + 1) if size % n == 0)


def moments_over_ranks(comm, count, mean, var, name):
    """Mean and biased variance `(C,)` over all ranks, from count, mean and variance of this one."""
    rows = np.zeros((comm.size, 1 + 2 * len(mean)))
    rows[comm.rank] = [count, *mean, *var]
    rows = comm.sum(rows, name)  # exact, and alike on all ranks: all other summands are zero
    return combine(rows[:, 0], *np.split(rows[:, 1:], 2, axis=1))


def vector_type(dtype):
    """The type of BatchNorm's parameters and moments for data of `dtype`."""
    return np.float64 if dtype == np.float64 else np.float32


class _SyncNorm(mx.operator.CustomOp):
    """BatchNorm whose moments, and the sums in its gradient, are over all ranks.

    It keeps nothing between its calls, which MXNet makes from threads of its own. What MXNet hands
    it is in row-major layout, so that a reshape is a view.
    """

    def __init__(self, comm, layer, eps, momentum):
        super().__init__()
        self._comm, self._layer = comm, layer
        self._eps, self._momentum = eps, momentum

    def forward(self, is_train, req, in_data, out_data, aux):
        x, gamma, beta = in_data
        given = aux
        if is_train:
            local = x.size / x.shape[1], *moments(x, self._eps)
            given = moments_over_ranks(self._comm, *local, f"{self._layer}.forward")
            given = [_array(values, gamma) for values in given]
            for running, values in zip(aux, given):
                running[:] = self._momentum * running + (1 - self._momentum) * values
        self._apply(_flat(x), gamma, beta, given, out=_flat(out_data[0]))
        for wanted, target, values in zip(req[1:], out_data[1:], given):
            self.assign(target, wanted, values)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        gamma, given = in_data[1], out_data[1:]
        x, dx, dy = (_flat(arrays[0]) for arrays in (in_data, in_grad, out_grad))
        # As if the moments were constants. The gradients of gamma and beta are the sums, over this
        # rank's batch, that those of the moments are made of.
        inputs = [x.detach(), gamma.detach(), mx.nd.zeros_like(gamma)]
        sums = [mx.nd.zeros_like(gamma) for _ in range(2)]
        autograd.mark_variables(inputs, [dx, *sums], [req[0], "write", "write"])
        with autograd.record():
            y = self._apply(*inputs, given)
        y.backward(dy)
        for wanted, target, values in zip(req[1:], in_grad[1:], sums):
            self.assign(target, wanted, values)
        # What the moments add is a line a channel: -factor (sum of dy x̂ · x̂ + sum of dy) / count.
        local = [x.size / len(gamma), *sums[0].asnumpy(), *sums[1].asnumpy()]
        count, *sums = self._comm.sum(local, f"{self._layer}.backward")
        factor = gamma / mx.nd.sqrt(given[1] + self._eps) / -count
        scale, shift = factor * _array(sums, gamma).reshape((2, -1))
        if req[0] != "null":
            dx += self._apply(x, scale, shift, given)

    def _apply(self, x, gamma, beta, given, out=None):
        """gamma (x - mean) / sqrt(variance + eps) + beta, mean and variance given."""
        options = {"eps": self._eps, "fix_gamma": False, "use_global_stats": True}
        return mx.nd.BatchNorm(x, gamma, beta, *given, out=out, **options)


def _flat(x):
    """x with four axes, as the BatchNorm operator wants them."""
    return x.reshape((0, 0, 0, -1))


def _array(values, like):
    """Values as an NDArray of another one's type, where that lies."""
    return mx.nd.array(values, ctx=like.context, dtype=like.dtype)


@mx.operator.register("glore_sync_norm")
class _SyncNormProp(mx.operator.CustomOpProp):
    """Inputs and outputs of `_SyncNorm`; all options come as strings."""

    def __init__(self, comm, layer, eps, momentum):
        super().__init__()
        self._options = _comms[comm], layer, float(eps), float(momentum)

    def list_arguments(self):
        return ["data", "gamma", "beta"]

    def list_outputs(self):
        return ["output", "mean", "var"]

    def list_auxiliary_states(self):
        return ["running_mean", "running_var"]

    def infer_shape(self, in_shape):
        data, vector = in_shape[0], [in_shape[0][1]]
        return [data, vector, vector], [data, vector, vector], [vector, vector]

    def infer_type(self, in_type):
        data, vector = in_type[0], vector_type(in_type[0])
        return [data, vector, vector], [data, vector, vector], [vector, vector]

    def declare_backward_dependency(self, out_grad, in_data, out_data):
        return [out_grad[0], *in_data[:2], *out_data[1:]]  # the output's memory is free

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return _SyncNorm(*self._options)
