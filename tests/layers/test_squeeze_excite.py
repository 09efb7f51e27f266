import mxnet as mx
import numpy as np

from gluon_glore.layers.squeeze_excite import ChannelAttention
from gluon_glore.plan.units import SqueezeExcite
from tests.helpers.networks import relative_error


def test_channels_are_scaled_by_the_gate_of_their_averages():
    block = ChannelAttention(SqueezeExcite(8, 2))
    block.initialize(mx.init.Normal(1))
    for param in block.collect_params(".*bias").values():
        param.set_data(mx.nd.random.normal(shape=param.shape))
    names = list(block.collect_params())
    assert names == [f"se-fc{i}_{leaf}" for i in (1, 2) for leaf in ("weight", "bias")]
    w1, b1, w2, b2 = (block.collect_params()[name].data().asnumpy() for name in names)
    x = np.random.RandomState(0).normal(size=(3, 8, 4, 5)).astype("float32")
    hidden = np.maximum(x.mean(axis=(2, 3)) @ w1.T + b1, 0)
    gate = 1 / (1 + np.exp(-(hidden @ w2.T + b2)))
    assert relative_error(block(mx.nd.array(x)).asnumpy(), x * gate[:, :, None, None]) < 1e-5
