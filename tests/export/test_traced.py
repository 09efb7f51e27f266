"""A network of clips is exported with an axis for time, unless its spec does not tell all of it."""

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_glore import Network
from gluon_glore.export.traced import trace
from gluon_glore.layers.basic import pool_mean_max
from tests.helpers.networks import execute, initialize, open_gates, relative_error
from tests.helpers.small_video import small

SHAPE = (2, 2, 9, 32, 32)


def network(classes=5):
    spec = small().with_units("glore", res3=(1,), arrangement="post")
    net = Network(spec, classes)
    assert net.spec.clip_frames
    initialize(net)
    open_gates(net)
    return net


def conv_axes(net):
    """The axes of the weights that the graph's convolutions read."""
    traced = trace(net, SHAPE)
    inside = traced.symbol.get_internals()
    _, shapes, _ = inside.infer_shape(data=SHAPE)
    return traced, {
        len(shape)
        for name, shape in zip(inside.list_outputs(), shapes)
        if name.endswith("conv-m1__conv_fwd_output")
    }


@pytest.mark.parametrize("classes", [0, 5, 7])
def test_clips_have_an_axis_for_time_and_the_same_numbers(classes):
    net = network(classes)
    traced, axes = conv_axes(net)
    assert axes == {5}
    x = mx.nd.array(np.random.RandomState(0).normal(size=SHAPE))
    got = execute(traced.symbol, traced.arrays(net), x)
    assert relative_error(got, net(x).asnumpy()) < 1e-5


def longer(net):
    net.features.add(nn.Activation("relu"))


@pytest.mark.parametrize("change", [longer, pool_mean_max])
def test_a_network_that_was_changed_by_hand_is_drawn_as_it_is(change):
    net = network()
    change(net)
    traced, axes = conv_axes(net)
    assert axes == {4}
    x = mx.nd.array(np.random.RandomState(0).normal(size=SHAPE))
    got = execute(traced.symbol, traced.arrays(net), x)
    assert relative_error(got, net(x).asnumpy()) < 1e-5
