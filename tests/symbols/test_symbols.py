import dataclasses
import json
from collections import Counter

import mxnet as mx
import numpy as np
import pytest

from benchmarks.networks import settle
from gluon_glore import InputError, Network, get_model, get_spec
from gluon_glore.plan.units import BATCH_NORM_EPS
from gluon_glore.weights import named_arrays, plain_names, set_weights
from symbols import dpn, get_symbol, glore, resnet, resnext, se_resnet
from symbols.network import spell_network
from symbols.units import SPELL
from tests.helpers.families import SPACES, small
from tests.helpers.networks import execute, initialize
from tests.helpers.symbols import nodes, operators, shapes

EXTRAS = [
    {"arrangement": "post", "normalize": True, "graph_layers": 2},
    {"shared_projection": False, "pool_stride": 2},
    {"arrangement": "post", "shared_projection": False, "pool_stride": 2, "graph_layers": 3},
    {"arrangement": "post", "shared_projection": False, "extend_first": True},
]


@pytest.mark.parametrize("options", EXTRAS, ids=str)
@pytest.mark.parametrize(("ndim", "space"), [(1, (9,)), (2, (7, 9)), (3, (3, 4, 5))])
def test_every_option_of_the_unit_is_spelled_as_traced(ndim, space, options):
    from gluon_glore import GloReUnit
    from gluon_glore.networks.network import make_unit

    unit = GloReUnit("unit", 12, 4, ndim=ndim, **options)
    block = make_unit(unit)
    x = mx.sym.var("data")
    traced, spelled = block(x), SPELL[unit.kind](x, unit)
    assert shapes(spelled, data=(2, 12, *space)) == shapes(traced, data=(2, 12, *space))
    assert operators(spelled) == operators(traced)


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("resnet18", {"res3": (2,), "res4": (1,)}),
        ("dpn92", {"res3": (1,), "both_paths": True}),
    ],
)
def test_a_released_layout_of_another_eps_is_spelled_as_traced(name, units, monkeypatch):
    monkeypatch.setenv("MXNET_SUBGRAPH_BACKEND", "NONE")
    spec = dataclasses.replace(get_spec(name), eps=0.125, momentum=0.75, input_size=(64, 64))
    spec = spec.with_units("glore", **units)
    net = Network(spec, 5)
    spelled = spell_network(spec, 5)
    initialize(net)
    x = mx.nd.random.normal(shape=(8, 3, 64, 64))
    settle(net, x)
    weights = named_arrays(net)
    assert shapes(spelled, data=x.shape) == shapes(net(mx.sym.var("data")), data=x.shape)
    expected = net(x).asnumpy()
    assert np.array_equal(execute(spelled, weights, x), expected)
    for graph in (spelled, net(mx.sym.var("data"))):
        norms = [n["attrs"] for n in nodes(graph) if n["op"] == "BatchNorm"]
        assert {(float(n["eps"]), float(n["momentum"])) for n in norms} == {(0.125, 0.75)}
    assert not np.allclose(expected, other_eps(net, weights, x), rtol=1e-3)


@pytest.mark.parametrize("family", ["resnet", "resnet18", "se_resnet"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_shared_norms_and_those_of_the_pixels_are_spelled_as_traced(ndim, family):
    spec = small(family, ndim, 4, None).spec
    stem = dataclasses.replace(spec.stem, norm_input=True)
    spec = dataclasses.replace(spec, stem=stem, shared_norm=True)
    net = Network(spec, 3)
    traced, spelled = net(mx.sym.var("data")), spell_network(spec, 3)
    shape = (2, 2, *SPACES[ndim])
    assert shapes(spelled, data=shape) == shapes(traced, data=shape)
    assert operators(spelled) == operators(traced)
    names = set(net.collect_params())
    assert "input__bn_gamma" in names
    assert not any("conv-w1__bn" in name for name in names)
    assert any("conv-w1__conv" in name for name in names)
    initialize(net)
    x = mx.nd.random.normal(shape=(4, 2, *SPACES[ndim]))
    settle(net, x)
    weights = named_arrays(net)
    expected = net(x).asnumpy()
    assert np.allclose(execute(spelled, weights, x), expected, atol=1e-5 * np.abs(expected).max())


def other_eps(net, weights, x):
    """What the network gives with the default eps in the place of its own."""
    other = Network(dataclasses.replace(net.spec, eps=BATCH_NORM_EPS), net.classes)
    set_weights(other.collect_params(), plain_names(weights), "test")
    return other(x).asnumpy()


def test_no_two_operators_of_a_traced_network_share_a_name():
    for symbol in (
        get_model("resnet50_glore_2_3")(mx.sym.var("data")),
        get_symbol("resnet50_glore_2_3"),
    ):
        names = Counter(node["name"] for node in json.loads(symbol.tojson())["nodes"])
        assert max(names.values()) == 1


def test_module_trains_a_symbol():
    symbol = mx.sym.SoftmaxOutput(get_symbol("tiny_glore_0_1", 2), name="softmax")
    module = mx.mod.Module(symbol)
    x = np.random.RandomState(0).normal(size=(8, 1, 64, 64)).astype("float32")
    data = mx.io.NDArrayIter(x, np.arange(8) % 2, batch_size=4)
    module.fit(data, num_epoch=1, optimizer_params={"learning_rate": 0.01})
    assert np.isfinite(module.predict(data).asnumpy()).all()


def test_image_shape_is_checked():
    symbol = resnet.get_symbol(10, model="resnet50", image_shape="3,64,96")
    assert symbol.infer_shape(data=(4, 3, 64, 96))[1] == [(4, 10)]
    for shape in ((1, 64, 64), (3, 8, 64, 64), "3,64"):
        with pytest.raises(InputError, match="resnet50 takes 3 channels of 2 dimensions"):
            resnet.get_symbol(10, model="resnet50", image_shape=shape)
    with pytest.raises(InputError, match="input of 16x64 is too small .* at least 32x32"):
        resnet.get_symbol(10, model="resnet50", image_shape=(3, 16, 64))
    with pytest.raises(InputError, match="num_classes must be at least 1"):
        resnet.get_symbol(0)
    with pytest.raises(InputError, match="closest"):
        resnet.get_symbol(10, model="resnet51")


@pytest.mark.parametrize(
    ("file", "other", "message"),
    [
        (resnet, "resnext101_32x4d", "is no ResNet; symbols.get_symbol picks"),
        (resnext, "resnet50", "is no ResNeXt"),
        (se_resnet, "resnet50", "is no SE-ResNet"),
        (dpn, "resnet50", "is no DPN"),
        (glore, "resnet50_nl_0_1", "is no network with GloRe units"),
    ],
)
def test_each_file_builds_its_own_family_and_refuses_others(file, other, message):
    assert file.get_symbol(7).list_outputs()[0].endswith("_output")
    with pytest.raises(InputError, match=message):
        file.get_symbol(7, model=other)
