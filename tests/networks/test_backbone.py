import warnings

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import SymbolBlock, Trainer

from benchmarks.networks import settle
from gluon_glore import Backbone, InputError, Network, get_model
from gluon_glore.weights import named_arrays
from symbols.network import spell_network
from tests.helpers.families import FAMILIES, SPACES, small
from tests.helpers.networks import execute, initialize, open_gates, relative_error
from tests.helpers.small_video import small as small_video

X = np.random.RandomState(0).normal(size=(2, 1, 64, 64)).astype("float32")


@pytest.fixture
def unfused(monkeypatch):
    monkeypatch.setenv("MXNET_SUBGRAPH_BACKEND", "NONE")


@pytest.mark.parametrize("units", [None, ("glore", {"arrangement": "post"})], ids=["plain", "unit"])
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_maps_are_what_the_spelled_symbol_computes(unfused, ndim, family, units):
    net = small(family, ndim, 4, None)
    if units:
        spec = net.spec.with_units(units[0], res2=(1,), res3=(1,), **units[1])
        net = type(net)(spec, classes=3)
    initialize(net)
    open_gates(net)
    x = mx.nd.random.normal(shape=(4, 2, *SPACES[ndim]))
    settle(net, x)
    weights = named_arrays(net)  # before the first forward of what is compared
    backbone = Backbone(net, ("res3", "res2"))
    plain = [y.asnumpy() for y in backbone(x)]
    backbone.hybridize()
    internals = spell_network(net.spec, 3).get_internals()
    for row, y, hybrid in zip(backbone.maps, plain, backbone(x)):
        expected = execute(internals[row.output], weights, x)
        if ndim == 1:
            expected = expected[..., 0]
        sizes = zip(SPACES[ndim], row.strides)
        assert y.shape == (4, row.channels, *(-(-n // stride) for n, stride in sizes))
        assert relative_error(y, expected) < 1e-5
        assert relative_error(hybrid.asnumpy(), expected) < 1e-5


def test_maps_of_clips_have_their_axis_for_time(unfused):
    net = Network(small_video().with_units("glore", res2=(2,), arrangement="post"))
    initialize(net)
    open_gates(net)
    x = mx.nd.random.normal(shape=(2, 2, 9, 32, 32))
    settle(net, x)
    weights = named_arrays(net)
    backbone = Backbone(net, ("res2", "res3"))
    assert [row.frames for row in backbone.maps] == [9, 5]
    internals = spell_network(net.spec, 5).get_internals()
    for row, y in zip(backbone.maps, backbone(x)):
        size = (row.frames, 32 // row.strides[1], 32 // row.strides[2])
        assert y.shape == (2, row.channels, *size)
        pictures = execute(internals[row.output], weights, x)  # the first frames come first
        expected = pictures.reshape(row.frames, 2, row.channels, *size[1:])
        assert relative_error(y.asnumpy(), expected.transpose(1, 2, 0, 3, 4)) < 1e-5


def test_the_layers_are_the_networks_own():
    net = get_model("tiny_glore_0_1", pretrained=True)
    backbone = Backbone(net, ("res2", "res4"))
    assert backbone.channels == (32, 96) and backbone.strides == ((4, 4), (8, 8))
    assert backbone.spec is net.spec and backbone.preprocess is net.preprocess
    last = net.features[:-1](mx.nd.array(X)).asnumpy()  # before the pool, behind the tail
    assert np.array_equal(backbone(mx.nd.array(X))[1].asnumpy(), last)
    trainer = Trainer(backbone.collect_params(), "sgd", {"learning_rate": 0.1})
    before = net(mx.nd.array(X)).asnumpy()
    with autograd.record():
        loss = sum((y**2).mean() for y in backbone(mx.nd.array(X)))
    loss.backward()
    for param in backbone.collect_params().values():
        assert param.grad_req == "null" or np.abs(param.grad().asnumpy()).max() > 0, param.name
    trainer.step(1)  # which refuses parameters that backward has not reached
    assert not np.allclose(net(mx.nd.array(X)).asnumpy(), before)


def test_layers_behind_the_last_map_are_left_out():
    backbone = get_model("resnet18_glore_0_1", features=("res2", "res3"))
    names = set(backbone.collect_params())
    assert "conv3_B02_conv-m2__conv_weight" in names
    assert not any(name.startswith(("conv4", "conv5", "tail", "classifier")) for name in names)


@pytest.mark.parametrize("name", ["tiny_glore_0_1", "tiny_3d_nl_0_1"])
def test_what_gluon_exports_gives_the_same_maps(tmp_path, name):
    backbone = get_model(name, features=("res2", "res4"))
    initialize(backbone)
    x = mx.nd.array(np.random.RandomState(1).normal(size=(2, 1, *backbone.spec.input_size)))
    backbone.hybridize()
    expected = [y.asnumpy() for y in backbone(x)]
    backbone.export(str(tmp_path / "net"))
    files = (str(tmp_path / f"net-{end}") for end in ("symbol.json", "0000.params"))
    symbol, params = files
    again = SymbolBlock.imports(symbol, ["data"], params)(x)
    assert [y.shape for y in again] == [y.shape for y in expected]
    for y, wanted in zip(again, expected):
        assert relative_error(y.asnumpy(), wanted) < 1e-5


def test_it_refuses_what_the_network_does():
    backbone = get_model("tiny", features=("res3",))
    initialize(backbone)
    with pytest.raises(InputError, match=r"tiny takes \(batch, 1, 2 spatial axes\)"):
        backbone(mx.nd.zeros((1, 3, 64, 64)))
    with pytest.raises(InputError, match="given numbers of float64"):
        backbone(mx.nd.zeros((1, 1, 64, 64), dtype="float64"))


@pytest.mark.parametrize("hybrid", [False, True])
def test_untrained_units_are_told_of_once(hybrid):
    backbone = get_model("tiny_glore_0_1", features=("res4",))
    backbone.initialize()
    backbone.hybridize(hybrid)
    with pytest.warns(UserWarning, match="^evaluated untrained: .* of conv4_B01_extra are unset"):
        backbone(mx.nd.array(X))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        backbone(mx.nd.array(X))


@pytest.mark.parametrize("features", ["res4", (), ("res5",), ("res3", "res3"), (2, 3), [["res3"]]])
def test_names_of_no_stage_are_refused(features):
    with pytest.raises(InputError, match="^features of tiny are .* res2, res3, res4, each once"):
        get_model("tiny", features=features)


def test_maps_have_no_classes():
    with pytest.raises(InputError, match="leave classes=5 out"):
        get_model("tiny", classes=5, features=("res3",))
