"""An exponential moving average of a network's weights, which is what is evaluated and saved.

After every step e <- e + (1 - d) (w - e): Polyak and Juditsky 1992's averaging, exponential as in
TensorFlow's `ExponentialMovingAverage`, from which the warm-up of the decay is too: the t-th update
has d = min(decay, (1 + t) / (10 + t)), so that the first, random weights are soon forgotten.
BatchNorm's running statistics are averaged like weights.
"""

import copy

import mxnet as mx
import numpy as np
from mxnet.gluon import nn

from gluon_glore.layers.basic import is_frozen
from gluon_glore.weights import load_arrays, set_weights
from gluon_glore.weights.fit import fit_all, fit_as_is

STATISTICS = ("_running_mean", "_running_var")


class WeightAverage:
    """The average of the parameters of `net`, float32 on its device, one more copy of them.

    Made before `net` is initialised or has run. Evaluations have a network of their own, `network`:
    after an inference oneDNN has weights in a layout of its own, in which MXNet can't overwrite a
    Conv3D's and Horovod sends none. So the one that trains never infers. `count` is the number of
    updates so far.
    """

    def __init__(self, net, decay):
        self._net, self._decay = net, decay
        self._template = copy.deepcopy(net)
        self._pairs = None
        self.arrays, self.count = {}, 0

    def start(self):
        """Begin with the weights that the network has now."""
        params = self._net.collect_params().items()
        self.arrays = {name: param.data(param.list_ctx()[0]).copy() for name, param in params}
        self._pairs, self.count = None, 0

    def restore(self, path, count):
        """Go on from the averages in a file of weights, of so many updates; after `start`.

        Raises InputError where the file is damaged or another network's.
        """
        shapes = {name: array.shape for name, array in self.arrays.items()}
        arrays = load_arrays(path, self._net)
        for name, array in fit_all(shapes, arrays, path, "the file", fit_as_is).items():
            self.arrays[name][:] = array
        self.count = count

    def update(self):
        """Take in the weights after a step, once it is done.

        A step that was skipped, as where gradients overflow, counts with the weights that stayed.
        """
        if self._pairs is None:
            params = self._net.collect_params()
            moving = [(self.arrays[name], params[name]) for name in moving_names(self._net)]
            self._pairs = [(array, param.data(array.context)) for array, param in moving]
        self.count += 1
        share = 1 - decay_of(self._decay, self.count)
        mx.nd.waitall()  # backward writes running statistics after they can be read
        for average, weight in self._pairs:
            # e - lr (w + wd e) in one pass, in place.
            mx.nd.sgd_update(average, weight, lr=-share, wd=-1, out=average)
        mx.nd.waitall()  # nor does it wait for who reads them

    def network(self, gradients=False):
        """A network of the averages, hybridised, with arrays of its own.

        Its parameters have no `gradients` unless it is to run backward.
        """
        net = copy.deepcopy(self._template)
        params = net.collect_params()
        for param in () if gradients else params.values():
            param.grad_req = "null"
        ctx = next(iter(self.arrays.values())).context
        set_weights(params, self.arrays, "the average of weights", ctx=ctx)
        net.hybridize(static_alloc=True, static_shape=True)
        return net

    def keep_statistics(self, net):
        """Take over BatchNorm's running statistics of a `network`."""
        for name, param in net.collect_params().items():
            if name.endswith(STATISTICS):
                array = self.arrays[name]
                array[:] = param.data(array.context)

    def share_statistics(self, comm):
        """Average BatchNorm's running statistics over the ranks, as those of the network are."""
        if comm.size == 1:
            return
        arrays = [array for name, array in self.arrays.items() if name.endswith(STATISTICS)]
        mine = np.concatenate([array.asnumpy().astype(np.float64) for array in arrays])
        ends = np.cumsum([array.size for array in arrays])[:-1]
        for array, mean in zip(arrays, np.split(comm.sum(mine) / comm.size, ends)):
            array[:] = mean


def moving_names(net):
    """The names of a network's parameters that training changes: by rounding others would drift."""
    frozen = set()

    def note(block):
        if isinstance(block, nn.BatchNorm) and is_frozen(block):
            frozen.update((block.running_mean.name, block.running_var.name))

    net.apply(note)
    return [
        name
        for name, param in net.collect_params().items()
        if (name.endswith(STATISTICS) and name not in frozen)
        or (param.grad_req != "null" and param.lr_mult)
    ]


def decay_of(decay, count):
    """The decay of update number `count`, counted from 1."""
    return min(decay, (1 + count) / (10 + count))
