import json
from collections import Counter

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from benchmarks.networks import settle
from gluon_glore import InputError, Network, get_model, get_spec
from gluon_glore.export.optimize import as_block, fuse_for_cpu, optimize
from gluon_glore.weights import named_arrays
from tests.helpers.any_networks import with_values
from tests.helpers.networks import execute, initialize, relative_error, small_size
from tests.helpers.small_video import small

SPECS = {
    "resnet50": get_spec("resnet50"),
    "resnext101_32x4d_glore_2_3": get_spec("resnext101_32x4d_glore_2_3"),
    "se_resnet50_glore_0_3": get_spec("se_resnet50_glore_0_3"),
    "dpn92_glore_2_3": get_spec("dpn92_glore_2_3"),
    "non-local": get_spec("resnet50_nl_0_1"),
    "pre": get_spec("resnet18").with_units("glore", res3=(1,), shared_projection=False),
    "post": get_spec("resnet18").with_units(
        "glore", res3=(1,), res4=(1,), arrangement="post", normalize=True, graph_layers=2
    ),
    "post, extended first": get_spec("resnet18").with_units(
        "glore", res4=(1,), arrangement="post", extend_first=True
    ),
    "3-D": get_spec("resnet50_3d_glore_2_3_kinetics400"),
    "3-D, non-local": get_spec("resnet50_3d_nl_2_3_kinetics400"),
    "3-D, post, pooled": get_spec("resnet50_3d_kinetics400").with_units(
        "glore", res3=(1,), arrangement="post", extend_first=False, pool_stride=2
    ),
    "3-D, an axis for time": small(temporal=None).with_units(
        "glore", res3=(1,), arrangement="post"
    ),
}


@pytest.fixture(autouse=True)
def plain_executors(monkeypatch):
    monkeypatch.setenv("MXNET_SUBGRAPH_BACKEND", "NONE")  # what was given, not fused once more


def trained_like(spec, classes=5):
    """A network whose every BatchNorm scales, shifts and has statistics; its arrays and an input.

    Units' last BatchNorms start with a gamma of zero, which would hide them.
    """
    net = Network(spec, classes)
    initialize(net)
    rng = np.random.RandomState(0)
    batch = mx.nd.array(rng.normal(size=(4, spec.in_channels, *small_size(spec))))
    settle(net, batch)
    arrays = named_arrays(net)
    for name, array in arrays.items():
        if name.endswith("bn_gamma"):
            gamma = array if array.asnumpy().any() else 0.1 * mx.nd.ones_like(array)
            arrays[name] = gamma * mx.nd.array(rng.uniform(0.8, 1.0, array.shape))
        elif name.endswith("bn_beta"):
            arrays[name] = mx.nd.array(rng.normal(0, 0.02, array.shape))
        elif "theta" in name:  # attention to everything: where it is sharp it magnifies rounding
            arrays[name] = array * 1e-4
    return net, arrays, batch[:2]


def temporal(net):
    """How many convolutions add up frames behind them, for which weights are transposed."""
    convs = (conv for unit in net.spec.plan() for conv in getattr(unit, "convs", ()))
    return sum(conv.kernel[0] > 1 and conv.in_channels > conv.out_channels for conv in convs)


def operators(symbol):
    return Counter(node["op"] for node in json.loads(symbol.tojson())["nodes"])


@pytest.mark.parametrize("name", SPECS)
def test_the_outputs_stay_with_fewer_operators(name):
    net, arrays, x = trained_like(SPECS[name])
    symbol = net(mx.sym.var("data"))
    expected = execute(symbol, arrays, x)
    smaller, fewer = optimize(symbol, arrays)
    assert relative_error(execute(smaller, fewer, x), expected) < 1e-4
    before, after = operators(symbol), operators(smaller)
    assert set(after) <= set(before)  # standard ones
    assert after["BatchNorm"] < 0.7 * before["BatchNorm"]
    assert after["Dropout"] == 0
    if net.spec.axes == 3:
        assert after["slice_axis"] < 0.2 * before["slice_axis"]
    if net.spec.clip_frames:  # weights have the shape that convolutions read
        assert not after["transpose"] or after["transpose"] == before["transpose"] - temporal(net)
        assert {a.ndim for name, a in fewer.items() if "__conv_weight" in name} == {4}
        assert {n[4:] for n in fewer if "__conv_weight" in n} == {
            name for name in net.collect_params() if "__conv_weight" in name
        }

    if mx.runtime.Features().is_enabled("MKLDNN"):
        fused, fused_arrays = fuse_for_cpu(smaller, fewer, x.shape)
        block = as_block(fused, fused_arrays)
        for batch in (x, x[:1], x):  # of any size
            got = block(batch).asnumpy()
            assert relative_error(got, expected[: len(batch)]) < 1e-4
        left = operators(fused)
        assert left["Convolution"] == 0
        if net.spec.axes == 2:
            assert left["BatchNorm"] + left["_contrib_BatchNormWithReLU"] == after["BatchNorm"]
            products = sum(getattr(unit, "extend_first", False) for unit in net.spec.plan())
            assert left["BatchNorm"] <= max(1, products)  # those behind one, without a ReLU
        assert operators(smaller) == after


def test_parameters_are_laid_out_as_they_are_read():
    x, weight, other = (mx.sym.var(name) for name in ("data", "weight", "other"))
    parts = mx.sym.split(mx.sym.reshape(weight, shape=(4, 3)), num_outputs=2, axis=0)
    swapped = mx.sym.transpose(other, axes=(1, 0), name="swapped")
    y = mx.sym.FullyConnected(x, swapped, num_hidden=4, no_bias=True)
    y = y + mx.sym.FullyConnected(x, mx.sym.concat(*parts, dim=0), num_hidden=4, no_bias=True)
    y = mx.sym.broadcast_add(y, mx.sym.sum(other))  # which keeps its shape for this
    rng = np.random.RandomState(0)
    shapes = {"weight": (12,), "other": (3, 4)}
    arrays = {f"arg:{n}": mx.nd.array(rng.normal(size=shape)) for n, shape in shapes.items()}
    data = mx.nd.array(rng.normal(size=(2, 3)))
    smaller, fewer = optimize(y, arrays)
    given = {name: array.shape for name, array in fewer.items()}
    assert given == {"arg:weight": (4, 3), "arg:other": (3, 4), "arg:swapped": (4, 3)}
    assert not operators(smaller).keys() & {"Reshape", "SliceChannel", "Concat", "transpose"}
    expected = execute(y, arrays, data)
    assert relative_error(execute(smaller, fewer, data), expected) < 1e-6


def test_only_a_norm_that_nothing_else_shares_is_folded():
    x = mx.sym.var("data")
    conv = mx.sym.Convolution(x, num_filter=4, kernel=(1, 1), name="conv")  # with a bias
    read_twice = mx.sym.Convolution(x, num_filter=4, kernel=(1, 1), no_bias=True, name="twice")
    norm = mx.sym.BatchNorm(conv, name="a", eps=0.5)  # fix_gamma: MXNet's default
    other = mx.sym.BatchNorm(read_twice, name="b", fix_gamma=False)
    symbol = norm + other + read_twice
    shapes, _, statistics = symbol.infer_shape(data=(2, 3, 5, 5))
    rng = np.random.RandomState(0)
    arrays = {
        f"{kind}:{key}": mx.nd.array(rng.uniform(0.5, 2, shape))
        for kind, keys, sizes in (
            ("arg", symbol.list_arguments(), shapes),
            ("aux", symbol.list_auxiliary_states(), statistics),
        )
        for key, shape in zip(keys, sizes)
    }
    given = {name: array.asnumpy() for name, array in arrays.items()}
    data = arrays.pop("arg:data")
    smaller, fewer = optimize(symbol, arrays)
    assert [n["name"] for n in json.loads(smaller.tojson())["nodes"] if n["op"] == "BatchNorm"] == [
        "b"
    ]
    expected = execute(symbol, arrays, data)
    assert relative_error(execute(smaller, as_executed(fewer, smaller), data), expected) < 1e-5
    assert all(np.array_equal(arrays[name].asnumpy(), given[name]) for name in arrays)


def as_executed(arrays, symbol):
    """Arrays filed under `aux:` where the symbol has a statistic, whatever it is called."""
    statistics = set(symbol.list_auxiliary_states())
    return {f"{'aux' if n[4:] in statistics else 'arg'}:{n[4:]}": a for n, a in arrays.items()}


def test_outputs_do_not_depend_on_the_mode():
    net, arrays, x = trained_like(get_spec("tiny_glore_0_1"))
    symbol, arrays = optimize(net(mx.sym.var("data")), arrays)
    executor = symbol.bind(
        mx.cpu(),
        {"data": x, **{k[4:]: v for k, v in arrays.items() if k.startswith("arg:")}},
        aux_states={k[4:]: v for k, v in arrays.items() if k.startswith("aux:")},
    )
    in_training = executor.forward(is_train=True)[0].asnumpy()
    assert relative_error(in_training, execute(symbol, arrays, x)) < 1e-5


def test_a_smaller_symbol_is_stored_and_loaded_as_any_other(tmp_path):
    net = get_model("tiny_glore_0_1", pretrained=True)
    x = mx.nd.random.normal(shape=(3, 1, 64, 64))
    expected = net(x).asnumpy()
    symbol, arrays = optimize(net(mx.sym.var("data")), named_arrays(net))
    symbol.save(f"{tmp_path}/small-symbol.json")
    mx.nd.save(f"{tmp_path}/small-0000.params", arrays)
    loaded = mx.gluon.SymbolBlock.imports(
        f"{tmp_path}/small-symbol.json", ["data"], f"{tmp_path}/small-0000.params"
    )
    assert relative_error(loaded(x).asnumpy(), expected) < 1e-5
    assert not any("m2__bn" in name for name in loaded.collect_params())
    assert {n.split(":")[1] for n in arrays} == set(symbol.list_inputs()) - {"data"}


def test_what_is_no_such_network_is_refused():
    net = get_model("tiny_glore_0_1", pretrained=True)
    symbol, arrays = net(mx.sym.var("data")), named_arrays(net)
    del arrays["arg:classifier_weight"]
    with pytest.raises(InputError, match="no array for classifier_weight"):
        optimize(symbol, arrays)
    both = mx.sym.split(mx.sym.var("data"), num_outputs=2)
    with pytest.raises(InputError, match="second output"):
        optimize(both[1], {})
    twice = mx.sym.relu(mx.sym.relu(mx.sym.var("data"), name="r"), name="r")
    with pytest.raises(InputError, match="two operators of the name r"):
        optimize(twice, {})


@pytest.mark.parametrize(
    "layers",
    [
        # A norm that stays, of two axes, and a ReLU.
        lambda: [nn.GlobalAvgPool2D(), nn.Flatten(), nn.BatchNorm(), nn.Activation("relu")],
        # Channels of a norm that are not those of the dense layer before it.
        lambda: [nn.Dense(5, flatten=False), nn.BatchNorm(axis=1), nn.Activation("relu")],
        lambda: [nn.Dense(5), nn.BatchNorm(), nn.Activation("relu")],
        lambda: [nn.BatchNorm(axis=3), nn.Activation("relu")],
        lambda: [nn.Conv2D(5, 3, use_bias=False), nn.BatchNorm(scale=False), nn.LeakyReLU(0.1)],
        lambda: [nn.Conv2D(5, 3), nn.BatchNorm(center=False), nn.Dropout(0.5), nn.PReLU()],
        lambda: [nn.Conv2DTranspose(5, 3), nn.BatchNorm(), nn.Swish()],
        lambda: [nn.Conv2D(6, 3), nn.InstanceNorm(), nn.Activation("relu"), nn.GroupNorm(2)],
        lambda: [nn.HybridLambda(lambda F, x: F.LRN(F.clip(x, 0, 6), nsize=3))],
        lambda: [nn.HybridLambda(lambda F, x: F.concat(*F.split(x, 3), F.sigmoid(x), dim=1))],
        lambda: [nn.HybridLambda(lambda F, x: F.split_v2(x, (1,), axis=1)[1]), nn.Conv2D(4, 3)],
    ],
)
def test_layers_that_no_network_here_has_stay_right(layers):
    net = nn.HybridSequential()
    net.add(*layers(), nn.Dense(3))
    net = with_values(net, (3, 8, 10))
    x = mx.nd.array(np.random.RandomState(3).normal(size=(2, 3, 8, 10)))
    expected = net(x).asnumpy()
    symbol, arrays = optimize(net(mx.sym.var("data")), named_arrays(net))
    assert relative_error(as_block(symbol, arrays)(x).asnumpy(), expected) < 1e-5
    if mx.runtime.Features().is_enabled("MKLDNN"):
        block = as_block(*fuse_for_cpu(symbol, arrays, x.shape))
        assert relative_error(block(x).asnumpy(), expected) < 1e-5
