import mxnet as mx
import pytest
from mxnet.gluon import nn

from gluon_glore import GloRe, InputError, get_model
from gluon_glore.visualize.unit_graph import find_units

DATA = mx.sym.var("data")


def test_units_are_found_in_the_networks_order_and_nothing_else():
    net = get_model("resnet50_glore_2_3")
    units = [unit.name for unit in net.spec.plan() if unit.kind == "glore"]
    assert list(find_units(net(DATA))) == units and len(units) == 5
    for name in ("tiny_nl_0_1", "resnet18"):
        assert find_units(get_model(name)(DATA)) == {}


def test_what_is_named_is_an_output_of_the_graph_and_has_the_units_shapes():
    unit = GloRe(8, 5, ndim=3, arrangement="post", graph_layers=3, shared_projection=False)
    symbol = unit(DATA)
    [(name, found)] = find_units(symbol).items()
    assert f"{name}_" == unit.prefix and len(found.adjacency) == 3
    internals = symbol.get_internals()
    for part, shape in (
        ("maps", (2, 5, 24, 1)),
        ("reverse", (2, 5, 24, 1)),
        ("located", (2, 8, 2, 3, 4)),
        ("features", (2, 10, 5, 1)),
        ("states", (2, 10, 5, 1)),
    ):
        output = internals[found.recorded[part]]
        assert output.infer_shape(data=(2, 8, 2, 3, 4))[1] == [shape], part
    for weight in found.adjacency:
        assert unit.collect_params()[weight].shape == (5, 5, 1, 1)


def test_a_unit_is_found_behind_operators_of_several_outputs():
    first, _ = mx.sym.split(DATA, num_outputs=2, axis=1)
    unit = GloRe(4, 2, arrangement="post", prefix="mine_")
    assert list(find_units(unit(first))) == ["mine"]


def test_a_shared_unit_is_refused_and_so_is_one_without_its_graph():
    twice = nn.HybridSequential()
    twice.add(GloRe(4, 2, prefix="a_"))
    twice.add(twice[0])
    with pytest.raises(InputError, match="a_conv-proj__conv_weight is the weight of 2"):
        find_units(twice(DATA))
    alone = mx.sym.Convolution(
        DATA, mx.sym.var("a_conv-proj__conv_weight"), no_bias=True, num_filter=2, kernel=(1, 1)
    )
    with pytest.raises(InputError, match="a has no graph"):
        find_units(alone)


def test_a_graph_of_integers_is_refused_rather_than_shown_in_part():
    data, low, high = mx.sym.contrib.quantize_v2(DATA)
    back = mx.sym.contrib.dequantize(data, low, high)
    unit = GloRe(4, 2, prefix="a_")
    with pytest.raises(InputError, match="8-bit integers.*an export in fp32"):
        find_units(unit(back))
