"""What must hold of every registered network, each made and run forward and back once."""

import functools

import mxnet as mx
import numpy as np
import pytest

from benchmarks.networks import settle
from gluon_glore import get_model
from gluon_glore.weights import named_arrays
from symbols import get_symbol
from tests.helpers.networks import WALKED, execute, initialize, open_gates, small_size
from tests.helpers.symbols import operators, shapes

BATCH = 4


def make(name):
    """A network after a step forward and back, what it saw, its traced symbol."""
    net = get_model(name, classes=11)
    traced = net(mx.sym.var("data"))
    initialize(net)
    open_gates(net)
    net.hybridize()
    batch = mx.nd.random.normal(shape=(BATCH, net.spec.in_channels, *small_size(net.spec)))
    settle(net, batch)
    return net, batch, traced


@pytest.fixture(scope="module")
def made():
    """`make`, once for all tests of a network; called by the tests, for marks.py's `no_cover`."""
    return functools.lru_cache(maxsize=1)(make)


@pytest.fixture(autouse=True)
def unfused(monkeypatch):
    """Fused operators round otherwise, and 200 layers magnify that: unfused all must be equal."""
    monkeypatch.setenv("MXNET_SUBGRAPH_BACKEND", "NONE")


every_network = pytest.mark.parametrize("name", WALKED, scope="module")


@every_network
def test_every_parameter_gets_a_gradient(made, name):
    net, _, _ = made(name)
    silent = [
        param.name
        for param in net.collect_params().values()
        if param.grad_req != "null" and not np.abs(param.grad().asnumpy()).max() > 0
    ]
    assert not silent


@every_network
def test_hand_spelled_and_traced_symbols_agree(made, name):
    net, batch, traced = made(name)
    spelled = get_symbol(name, 11)
    for row in net.spec.feature_maps.values():
        for graph in (traced, spelled):
            _, (shape,), _ = graph.get_internals()[row.output].infer_shape(data=batch.shape)
            sizes = [-(-n // stride) for n, stride in zip(batch.shape[2:], row.strides)]
            if net.spec.clip_frames:  # time is in the batch axis
                assert row.frames == sizes[0]
                assert shape == (row.frames * BATCH, row.channels, *sizes[1:])
            else:
                assert not row.frames and shape == (BATCH, row.channels, *sizes)
    x = batch[:2]  # what the statistics have seen: others may overflow in untrained units
    assert shapes(spelled, data=x.shape) == shapes(traced, data=x.shape)
    assert operators(spelled) == operators(traced)
    weights = named_arrays(net)
    expected = net(x).asnumpy()
    assert np.isfinite(expected).all()
    assert np.array_equal(execute(traced, weights, x), expected)
    assert np.array_equal(execute(spelled, weights, x), expected)
