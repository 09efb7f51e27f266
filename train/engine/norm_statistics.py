"""BatchNorm's statistics measured anew with the weights as they are, not along the way.

Wu and Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3 (https://arxiv.org/abs/2105.07576):
a moving average lags behind the weights and hangs on the last few batches, which are small where
samples are clips.
"""

import itertools

import mxnet as mx
import numpy as np
from mxnet import autograd

from gluon_glore.layers.basic import BATCH_NORM_MOMENTUM


def measure_statistics(net, batches, comm, ctx, parts=1, segments=None):
    """Set the running statistics to those over all `(pixels, labels)` of every rank's `batches`.

    As a `train.engine.step.Step` does, for its memory: a batch runs in equal `parts`, one after the
    other, of which BatchNorm sees one at a time, and through `segments` where there are any.

    The variance is that of the batches and of their means. What only training runs, as an auxiliary
    head, keeps its own. No BatchNorm of the network may be frozen.
    """
    params = net.collect_params()
    used = set(net(mx.sym.var("data")).list_auxiliary_states())
    means = [p for name, p in params.items() if name in used and name.endswith("_running_mean")]
    variances = [params[p.name.replace("_running_mean", "_running_var")] for p in means]
    count, sums = 0, 0.0
    for part in itertools.chain.from_iterable(np.split(x, parts) for x, _ in batches):
        for param in (*means, *variances):
            param.data(ctx)[:] = 0
        # MXNet moves them in backward: from 0 by the share of the batch's own.
        _backward(net, mx.nd.array(part, ctx=ctx), segments)
        mx.nd.waitall()  # a hybridised network's statistics can be read before they are written
        mean, variance = (get_values(p) / (1 - BATCH_NORM_MOMENTUM) for p in (means, variances))
        count, sums = count + 1, sums + np.concatenate([mean, mean**2, variance])
    *sums, count = comm.sum([*sums, count])
    mean, square, variance = np.split(np.array(sums) / count, 3)
    set_values(means, mean)
    set_values(variances, variance + square - mean**2)


def _backward(net, x, segments):
    if segments:
        segments.backward(x, lambda outputs: outputs, lambda outputs: None)
        return
    with autograd.record():
        outputs = net(x)
    outputs.backward()


def average_statistics(net, comm):
    """Average BatchNorm's running statistics over the ranks; Horovod never touches them."""
    if comm.size == 1:
        return
    statistics = list(net.collect_params(".*running_(mean|var)").values())
    set_values(statistics, comm.sum(get_values(statistics)) / comm.size)


def get_values(params):
    """The values of vectors one after the other, float64."""
    arrays = (param.data(param.list_ctx()[0]).asnumpy() for param in params)
    return np.concatenate([array.astype(np.float64) for array in arrays])


def set_values(params, values):
    """Set vectors to what `get_values` gives of them."""
    ends = np.cumsum([param.shape[0] for param in params])
    for param, part in zip(params, np.split(values.astype(np.float32), ends[:-1])):
        param.set_data(mx.nd.array(part))
