"""BatchNorm's running statistics after an epoch: averaged over the ranks, or measured anew.

Measured with fixed weights they are "precise" (Wu and Johnson, Rethinking "Batch" in BatchNorm,
2021, section 3, https://arxiv.org/abs/2105.07576): a moving average lags behind the weights and
depends on the last few batches, which are small where samples are clips.
"""

import itertools

import mxnet as mx
import numpy as np
from mxnet import autograd

from gluon_glore.layers.basic import momenta

from .residual_units import whole


def measure_statistics(net, batches, comm, ctx, parts=1, segments=None):
    """Set the running statistics to those over all `(pixels, labels)` of every rank's `batches`.

    To need no more memory than a training step, a batch runs in equal `parts`, one after the
    other, and through `segments` where there are any. BatchNorm sees one part at a time.

    The variance is the mean of the parts' variances plus the variance of their means. No unit drops
    its branch: they are of the network as it is evaluated. Layers that only training runs, as an
    auxiliary head, keep theirs. No BatchNorm may be frozen.
    """
    params = net.collect_params()
    used = set(net(mx.sym.var("data")).list_auxiliary_states())
    means = [p for name, p in params.items() if name in used and name.endswith("_running_mean")]
    variances = [params[p.name.replace("_running_mean", "_running_var")] for p in means]
    kept = momenta(net)
    moved = np.concatenate([np.full(p.shape, 1 - kept[p.name], np.float64) for p in means])
    count, sums = 0, 0.0
    with whole(net, *(segments.runs if segments else ())):
        for part in itertools.chain.from_iterable(np.split(x, parts) for x, _ in batches):
            for param in (*means, *variances):
                param.data(ctx)[:] = 0
            # MXNet moves them in backward: from 0 by the share of the batch's own.
            _backward(net, mx.nd.array(part, ctx=ctx), segments)
            mx.nd.waitall()  # a hybridised network's statistics can be read before they are written
            mean, variance = (_get_values(p) / moved for p in (means, variances))
            count, sums = count + 1, sums + np.concatenate([mean, mean**2, variance])
    *sums, count = comm.sum([*sums, count])
    mean, square, variance = np.split(np.array(sums) / count, 3)
    _set_values(means, mean)
    _set_values(variances, variance + square - mean**2)


def _backward(net, x, segments):
    """A forward and a backward: MXNet moves running statistics in backward."""
    if segments:
        segments.backward(x, lambda outputs: outputs, lambda outputs: None)
        return
    with autograd.record():
        outputs = net(x)
    outputs.backward()


def average_statistics(net, comm):
    """Average BatchNorm's running statistics over the ranks: Horovod only averages gradients."""
    if comm.size == 1:
        return
    statistics = list(net.collect_params(".*running_(mean|var)").values())
    _set_values(statistics, comm.sum(_get_values(statistics)) / comm.size)


def _get_values(params):
    """The values of vector parameters in one array, float64."""
    arrays = (param.data(param.list_ctx()[0]).asnumpy() for param in params)
    return np.concatenate([array.astype(np.float64) for array in arrays])


def _set_values(params, values):
    """Set vector parameters to the values that `_get_values` returns of them."""
    ends = np.cumsum([param.shape[0] for param in params])
    for param, part in zip(params, np.split(values.astype(np.float32), ends[:-1])):
        param.set_data(mx.nd.array(part))
