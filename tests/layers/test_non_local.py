import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, NonLocal
from tests.helpers.networks import open_gates, relative_error
from tests.helpers.units import SPACES


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


@pytest.mark.parametrize(("ndim", "pool"), [(1, (2,)), (2, (2, 2)), (3, (1, 2, 2))])
def test_subsampling_pools_space_not_time_before_keys_and_values(ndim, pool):
    """The same block where every location of a window has the window's maximum already."""
    space = tuple(4 // (2 // n) for n in pool)
    coarse = np.random.RandomState(0).normal(size=(2, 6, *space)).astype("float32")
    x = mx.nd.array(np.kron(coarse, np.ones((1, 1, *pool), "float32")))
    full, pooled = (NonLocal(6, 3, ndim=ndim, subsample=n, prefix="unit_") for n in (1, 2))
    for block in (full, pooled):
        block.initialize(mx.init.Normal(0.5))
    open_gates(full)
    for name, param in pooled.collect_params().items():
        param.set_data(full.collect_params()[name].data())
    expected = full(x).asnumpy()
    for hybridize in (False, True):
        pooled.hybridize(hybridize)
        assert relative_error(pooled(x).asnumpy(), expected) < 1e-4
    with pytest.raises(InputError, match="subsample must be at least 1, given 0"):
        NonLocal(6, 3, subsample=0)


def test_it_starts_as_the_identity_unless_told_and_refuses_no_width():
    block = NonLocal(8, 4)
    block.initialize()
    x = mx.nd.random.normal(shape=(2, 8, 5, 5))
    assert np.array_equal(block(x).asnumpy(), x.asnumpy())
    other = NonLocal(8, 4, zero_gamma=False)
    other.initialize()
    assert (other.norm.norm.gamma.data().asnumpy() == 1).all()
    assert not np.array_equal(other(x).asnumpy(), x.asnumpy())
    with pytest.raises(InputError, match="mid_channels must be at least 1, given 0"):
        NonLocal(8, 0)
