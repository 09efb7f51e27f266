"""Networks for tests: their weights, inputs and outputs. MXNet is imported where it is used."""

import numpy as np

from gluon_glore import list_models
from tests.helpers.numbers import relative_error as relative_error
from tests.helpers.numbers import synthetic as synthetic

# Networks of the paper's ablations that are of backbones and units that others have too: walks of
# seconds a network leave them out. tests/networks/test_paper.py holds this.
ALIKE = {
    "resnet50_glore_0_1_g2",
    "resnet50_glore_1_3",
    *(f"resnet50_nl_{numbers}" for numbers in ("0_3", "0_5", "1_3", "2_3")),
    *(f"se_resnet50_glore_{numbers}" for numbers in ("0_1", "0_5", "1_0", "1_3", "2_3")),
    *(f"se_resnet50_nl_{numbers}" for numbers in ("0_1", "0_3", "0_5", "1_0", "1_3")),
}
WALKED = [name for name in list_models() if name not in ALIKE]


_RNG = np.random.default_rng(0)


def initialize(net):
    """`net.initialize()` with the weights' random numbers from numpy, for MXNet takes seconds."""
    import mxnet as mx

    class Uniform(mx.init.Uniform):
        def _init_weight(self, _, arr):
            drawn = _RNG.random(arr.shape, np.float32)
            arr[:] = mx.nd.array((2 * drawn - 1) * self.scale)

    net.initialize(Uniform())


def small_size(spec):
    """Pixels enough for all strides, few enough for two cores; the frames of a video network."""
    return (spec.frames or 64,) + (64,) * (spec.ndim - 1)


def execute(symbol, weights, x):
    """The first output of a symbol, evaluated by an executor of its own."""
    import mxnet as mx

    executor = symbol.bind(
        mx.cpu(),
        {"data": x, **{k[4:]: v for k, v in weights.items() if k.startswith("arg:")}},
        aux_states={k[4:]: v for k, v in weights.items() if k.startswith("aux:")},
        grad_req="null",
    )
    return executor.forward()[0].asnumpy()


def open_gates(net):
    """Set the zero-initialised gammas to 1, so that every parameter counts."""
    import mxnet as mx

    for name, param in net.collect_params().items():
        if name.endswith("gamma"):
            param.set_data(mx.nd.ones(param.shape))


def values(net):
    return {name: param.data().asnumpy() for name, param in net.collect_params().items()}


def assert_same(net, other):
    ours, theirs = values(net), values(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert np.array_equal(value, theirs[name]), name
