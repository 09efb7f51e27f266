import mxnet as mx
import numpy as np
import pytest
from conftest import relative_error
from test_glore import SPACES, open_gates

from gluon_glore import InputError, NonLocal


def weight(block, name):
    value = block.collect_params()[f"unit_{name}"].data().asnumpy()
    return value.reshape(value.shape[:2]) if value.ndim > 1 else value[None, :, None]


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_the_block_is_embedded_gaussian_attention(ndim):
    block = NonLocal(6, 3, ndim=ndim, prefix="unit_")
    block.initialize(mx.init.Normal(0.5))
    open_gates(block)
    for param in block.collect_params(".*bias").values():
        param.set_data(mx.nd.random.normal(shape=param.shape))
    x = np.random.RandomState(0).normal(size=(2, 6, *SPACES[ndim])).astype("float32")
    flat = x.reshape(2, 6, -1)

    def embed(name):
        kernel = weight(block, f"{name}__conv_weight")
        return np.einsum("oc,bcl->bol", kernel, flat) + weight(block, f"{name}__conv_bias")

    scores = np.exp(np.einsum("bmi,bmj->bij", embed("nl-theta"), embed("nl-phi")))
    attention = scores / scores.sum(axis=2, keepdims=True)
    y = np.einsum("bij,bmj->bmi", attention, embed("nl-g"))
    y = np.einsum("oc,bcl->bol", weight(block, "nl-out__conv_weight"), y) / np.sqrt(1 + 1e-4)
    expected = (flat + y).reshape(x.shape)
    for hybridize in (False, True):
        block.hybridize(hybridize)
        assert relative_error(block(mx.nd.array(x)).asnumpy(), expected) < 1e-4


def test_it_starts_as_the_identity_and_refuses_no_width():
    block = NonLocal(8, 4)
    block.initialize()
    x = mx.nd.random.normal(shape=(2, 8, 5, 5))
    assert np.array_equal(block(x).asnumpy(), x.asnumpy())
    with pytest.raises(InputError, match="mid_channels must be at least 1, given 0"):
        NonLocal(8, 0)
