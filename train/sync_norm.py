"""BatchNorm over the batches of all ranks, for training.

Where a rank holds few pictures, as in segmentation, their statistics say little (Peng et al. 2018,
MegDet, section 3.3, https://arxiv.org/abs/1711.07240). Each pass over the activations is MXNet's
own BatchNorm operator with given moments; only vectors of one number a channel meet Python and the
other ranks.
"""

import weakref

import mxnet as mx
import numpy as np
from mxnet import autograd
from mxnet.gluon import HybridBlock

from gluon_glore.errors import InputError
from gluon_glore.layers import BATCH_NORM_MOMENTUM, Norm, is_frozen

_comms = weakref.WeakValueDictionary()  # an operator's options are strings: this finds theirs


class Synchronised(HybridBlock):
    """The graph of `block` for training, whose every BatchNorm is one over all ranks.

    Takes and returns what `block` does, with the very parameters of `block`, none of its own.
    Running statistics move in the forward of training, alike on all ranks. `block` itself is not
    changed: evaluate and export that.

    All ranks must run it, forward and backward, the same number of times. BatchNorms that are
    frozen (`layers.freeze_norm`) stay so; raises InputError where none is left to synchronise.
    """

    def __init__(self, block, comm):
        super().__init__(prefix="")
        norms = []
        block.apply(lambda child: norms.append(child) if isinstance(child, Norm) else None)
        self._norms = [norm for norm in norms if not is_frozen(norm.norm)]
        if not self._norms:
            raise InputError("no BatchNorm to synchronise: the network has none that is not frozen")
        self._block = (block,)  # not as a child, which hybridize() and cast() would reach
        self._comm = comm
        _comms[str(id(comm))] = comm
        super().hybridize(static_alloc=True, static_shape=True)

    def hybridize(self, *_, **__):
        """Nothing: this graph is always a static one, and `block` has its own."""

    def collect_params(self, select=None):
        """The parameters of the block."""
        return self._block[0].collect_params(select)

    def hybrid_forward(self, F, x):
        for norm in self._norms:
            norm.stand_in = self._normalise
        try:
            return self._block[0](x)
        finally:
            for norm in self._norms:
                norm.stand_in = None

    def _normalise(self, F, x, norm):
        arrays = (norm.gamma, norm.beta, norm.running_mean, norm.running_var)
        y, *_ = F.Custom(
            x,
            *(array.var() for array in arrays),
            op_type="glore_sync_norm",
            comm=str(id(self._comm)),
            layer=norm.name,
            eps=norm._kwargs["eps"],
            name=f"{norm.name}_over_ranks",
        )
        return y


def moments_over_ranks(comm, count, mean, var, name):
    """Mean and biased variance of the values of all ranks, from each rank's: `(channels,)`.

    Pairwise as in Chan et al. 1979, Updating Formulae and a Pairwise Algorithm for Computing
    Sample Variances: no difference of large squares.
    """
    rows = np.zeros((comm.size, 1 + 2 * len(mean)))
    rows[comm.rank] = [count, *mean, *var]
    rows = comm.sum(rows, name)  # exact, and alike on all ranks: all other summands are zero
    shares = rows[:, :1] / rows[:, 0].sum()
    means, variances = np.split(rows[:, 1:], 2, axis=1)
    mean = (shares * means).sum(axis=0)
    return mean, (shares * (variances + (means - mean) ** 2)).sum(axis=0)


def flat(x):
    """(B, C, H, W, ...) as (B, C, H, the rest): a view, of what is in row-major layout."""
    return x.reshape((0, 0, 0, -1))


class _SyncNorm(mx.operator.CustomOp):
    """BatchNorm of `(B, C, H, W)` whose moments, and the sums in its gradient, are over all ranks.

    It keeps nothing between its calls, which MXNet makes from threads of its own.
    """

    def __init__(self, comm, layer, eps):
        super().__init__()
        self._comm, self._layer, self._eps = comm, layer, eps

    def forward(self, is_train, req, in_data, out_data, aux):
        gamma, beta = in_data[1:]
        x, y = flat(in_data[0]), flat(out_data[0])
        moments = aux
        if is_train:
            moments = moments_over_ranks(
                self._comm, *self._moments(x, gamma), f"{self._layer}.forward"
            )
            moments = [mx.nd.array(values, ctx=x.context) for values in moments]
            for running, values in zip(aux, moments):
                running[:] = BATCH_NORM_MOMENTUM * running + (1 - BATCH_NORM_MOMENTUM) * values
        self._apply(x, gamma, beta, moments, out=y)
        for wanted, target, values in zip(req[1:], out_data[1:], moments):
            self.assign(target, wanted, values)

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        gamma, moments = in_data[1], out_data[1:]
        x, dx, dy = flat(in_data[0]), flat(in_grad[0]), flat(out_grad[0])
        # For given moments. The gradients of gamma and beta are the sums that those of the moments
        # are made of, over this rank's batch.
        inputs = [x.detach(), gamma.detach(), mx.nd.zeros_like(gamma)]
        sums = [mx.nd.empty(gamma.shape, ctx=x.context) for _ in range(2)]
        autograd.mark_variables(inputs, [dx, *sums], [req[0], "write", "write"])
        with autograd.record():
            y = self._apply(*inputs, moments)
        y.backward(dy)
        for wanted, target, values in zip(req[1:], in_grad[1:], sums):
            self.assign(target, wanted, values)
        local = [x.size / len(gamma), *sums[0].asnumpy(), *sums[1].asnumpy()]
        count, *sums = self._comm.sum(local, f"{self._layer}.backward")
        factor = gamma / mx.nd.sqrt(moments[1] + self._eps) / -count
        scale, shift = factor * mx.nd.array(sums, ctx=x.context).reshape((2, -1))
        if req[0] != "null":
            dx += self._apply(x, scale, shift, moments)

    def _apply(self, x, gamma, beta, moments, out=None):
        options = {"eps": self._eps, "fix_gamma": False, "use_global_stats": True}
        return mx.nd.BatchNorm(x, gamma, beta, *moments, out=out, **options)

    def _moments(self, x, gamma):
        """Count, mean and variance of each channel of this rank's batch."""
        one, zero = mx.nd.ones_like(gamma), mx.nd.zeros_like(gamma)
        with autograd.train_mode():
            _, mean, inverse = mx.nd.BatchNorm(
                x, one, zero, zero.copy(), one.copy(), eps=self._eps, output_mean_var=True
            )
        deviation = 1 / inverse.asnumpy().astype("float64")
        return x.size / len(gamma), mean.asnumpy(), deviation**2 - self._eps


@mx.operator.register("glore_sync_norm")
class _SyncNormProp(mx.operator.CustomOpProp):
    """Inputs and outputs of `_SyncNorm`; all its options are strings."""

    def __init__(self, comm, layer, eps):
        super().__init__()
        self._options = _comms[comm], layer, float(eps)

    def list_arguments(self):
        return ["data", "gamma", "beta"]

    def list_outputs(self):
        return ["output", "mean", "var"]

    def list_auxiliary_states(self):
        return ["running_mean", "running_var"]

    def infer_shape(self, in_shape):
        data, vector = in_shape[0], [in_shape[0][1]]
        return [data, vector, vector], [data, vector, vector], [vector, vector]

    def declare_backward_dependency(self, out_grad, in_data, out_data):
        return [out_grad[0], *in_data[:2], *out_data[1:]]  # the output's memory is free

    def create_operator(self, ctx, in_shapes, in_dtypes):
        return _SyncNorm(*self._options)
