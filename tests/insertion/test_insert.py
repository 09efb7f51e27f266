import mxnet as mx
import numpy as np
import pytest
from gluoncv import model_zoo
from mxnet.gluon import HybridBlock, nn

from gluon_glore import (
    Backbone,
    GloRe,
    InputError,
    Network,
    NonLocal,
    get_model,
    insert_units,
    load_weights,
    save_weights,
)
from tests.helpers.networks import open_gates, relative_error
from tests.helpers.small_video import small as small_video


class Small(HybridBlock):
    """Three convolutions of `ndim` dimensions, the second in a sequence; then all locations."""

    def __init__(self, ndim=2, in_channels=3, **options):
        super().__init__(**options)
        conv = {1: nn.Conv1D, 2: nn.Conv2D, 3: nn.Conv3D}[ndim]
        with self.name_scope():
            self.stem = conv(16, 3, padding=1, in_channels=in_channels)
            self.body = nn.HybridSequential()
            with self.body.name_scope():
                self.body.add(conv(32, 1), nn.Activation("relu"))
            self.last = conv(32, 1)

    def hybrid_forward(self, F, x):
        return self.last(self.body(self.stem(x)))


def small(ndim=2, initialized=True, **options):
    net = Small(ndim, **options)
    if initialized:
        net.initialize()
    return net


def numbers(*shape):
    return mx.nd.array(np.random.default_rng(0).normal(size=shape))


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("kind, block", [("glore", GloRe), ("nonlocal", NonLocal)])
def test_a_unit_computes_what_its_block_does_on_what_the_block_before_gave(kind, block, ndim):
    net = small(ndim)
    plain = Small(ndim, prefix=net.prefix, params=net.collect_params())  # of the same parameters
    (unit,) = insert_units(net, "stem", kind)
    assert type(unit.block) is block and net.stem._children[kind] is unit.block
    assert (unit.channels, unit.ndim, unit.path) == (16, ndim, f"stem.{kind}")
    open_gates(unit.block)
    x = numbers(2, 3, *(6,) * ndim)
    expected = plain.last(plain.body(unit.block(plain.stem(x))))
    assert relative_error(net(x).asnumpy(), expected.asnumpy()) < 1e-6
    assert relative_error(net(x).asnumpy(), plain(x).asnumpy()) > 1e-3


def test_all_that_is_there_keeps_its_place_its_name_and_its_class():
    net = model_zoo.get_model("resnet18_v1b", classes=5)
    kinds = {block: type(block) for block in (net.layer3[0], net.layer3[1], net.bn1)}
    names, places = list(net.collect_params()), list(net._collect_params_with_prefix())
    insert_units(net, [{"layer3": (1,)}, "layer2", "bn1"])
    for block, kind in kinds.items():
        assert isinstance(block, kind) and type(block).__name__ == kind.__name__
    assert [name for name in net.collect_params() if "_glore_" not in name] == names
    assert [name for name in net._collect_params_with_prefix() if ".glore." not in name] == places
    assert list(net.layer3._children) == ["0", "1"] and net.layer3[0].glore
    assert list(net.layer2._children) == ["0", "1", "glore"]


def test_parameters_and_operators_are_called_by_path():
    net = model_zoo.get_model("resnet18_v1", classes=5)
    (unit,) = insert_units(net, {"res4": (1,)})
    assert unit.name == f"{net.prefix}features_6_0_glore"
    assert all(name.startswith(unit.name + "_") for name in unit.block.collect_params())
    operators = net(mx.sym.var("data")).get_internals().list_outputs()
    assert f"{unit.name}_conv-proj__conv_fwd_output" in operators


def test_values_come_where_the_network_has_them():
    net = small(initialized=False)
    (unit,) = insert_units(net, "stem")
    assert all(param._data is None for param in unit.block.collect_params().values())
    net.initialize()
    assert net(numbers(1, 3, 4, 4)).shape == (1, 32, 4, 4)

    devices = [mx.cpu(0), mx.cpu(1)]
    for after in ("stem", "body", "last"):  # with values; waiting for their shape
        net = Small()
        net.initialize(ctx=devices)
        (unit,) = insert_units(net, after)
        assert all(p.list_ctx() == devices for p in unit.block.collect_params().values())
        assert net.last.weight.shape == (32, 0, 1, 1)
        for device in devices:
            assert net(numbers(1, 3, 4, 4).as_in_context(device)).context == device


def test_values_that_are_there_stay():
    net = small()
    net(numbers(1, 3, 4, 4))
    before = {name: p.data().asnumpy() for name, p in net.collect_params().items()}
    insert_units(net, ["stem", "last"])
    for name, value in before.items():
        assert np.array_equal(net.collect_params()[name].data().asnumpy(), value)


@pytest.mark.parametrize("after", ["stem", "body.1"])  # that has no parameters
def test_units_have_the_number_type_of_the_network(after):
    net = small()
    net.cast("float16")
    (unit,) = insert_units(net, after)
    types = {name: np.dtype(p.dtype).name for name, p in unit.block.collect_params().items()}
    assert {types[name] for name in types if "_bn_" not in name} == {"float16"}
    assert {types[name] for name in types if "_bn_" in name} == {"float32"}  # as Gluon casts


def test_a_network_can_be_cast_afterwards():
    net = small()
    insert_units(net, "stem")
    net.cast("float16")
    types = net(mx.sym.var("data")).attr_dict()
    half = mx.sym.var("x", dtype="float16").attr("__dtype__")
    assert types[net.stem.weight.name]["__dtype__"] == half


def test_a_hybridised_network_stays_as_it_was_hybridised():
    net = small()
    net.hybridize(static_alloc=True, static_shape=True)
    net(numbers(1, 3, 4, 4))
    flags = list(net._flags)
    insert_units(net, "stem")
    assert net._active and net._flags == flags
    net(numbers(1, 3, 4, 4))
    assert any("_glore_" in name for name in net._cached_graph[1].list_arguments())


def test_widths_options_and_order_are_those_of_the_plan():
    (unit,) = insert_units(small(), "last")
    assert unit.block._unit.mid_channels == 8 and unit.block._unit.arrangement == "post"
    (unit,) = insert_units(small(), "last", "nonlocal", subsample=2)
    assert unit.block._unit.mid_channels == 16 and unit.block._unit.subsample == 2
    (unit,) = insert_units(small(), "last", mid_channels=3, arrangement="pre", graph_layers=2)
    assert unit.block._unit.mid_channels == 3 and len(unit.block.graph) == 2
    for ndim, first in ((2, False), (3, True)):  # of many locations it saves in three dimensions
        (unit,) = insert_units(small(ndim), "last")
        assert unit.block._unit.extend_first is first
    (unit,) = insert_units(small(3), "last", extend_first=False)
    assert not unit.block._unit.extend_first


def test_a_block_that_runs_all_its_children_does_not_run_the_unit_among_them():
    net = nn.HybridSequential()
    both = mx.gluon.contrib.nn.HybridConcurrent(axis=1)
    both.add(nn.Conv2D(8, 1), nn.Conv2D(8, 1))
    net.add(both)
    net.initialize()
    x = numbers(1, 3, 4, 4)
    before = net(x).asnumpy()
    (unit,) = insert_units(net, "0")
    assert unit.channels == 16
    assert np.array_equal(net(x).asnumpy(), before)
    assert list(both._children) == ["0", "1", "glore"]


def test_the_weights_of_this_package_are_written_and_read(tmp_path):
    net = model_zoo.get_model("cifar_resnet20_v1", classes=5)
    other = model_zoo.get_model("cifar_resnet20_v1", classes=5)
    for each in (net, other):
        each.initialize()
        insert_units(each, {"res4": (1,)})
        each(numbers(1, 3, 16, 16))
    save_weights(net, tmp_path / "net.params")
    load_weights(other, tmp_path / "net.params")
    start, end = len(net.prefix), len(other.prefix)
    assert net.prefix != other.prefix
    theirs = {name[end:]: p.data().asnumpy() for name, p in other.collect_params().items()}
    for name, param in net.collect_params().items():
        assert np.array_equal(theirs[name[start:]], param.data().asnumpy()), name


class Twice(HybridBlock):
    """Gives two arrays, and runs a block of its own twice, the second time on half the channels."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.stem = nn.Conv2D(16, 1, in_channels=3)
            self.relu = nn.Activation("relu")
            self.unused = nn.Conv2D(16, 1)
            self.halves = Halves()

    def hybrid_forward(self, F, x):
        first, second = self.halves(self.relu(self.stem(x)))
        return first + self.relu(second)


class Halves(HybridBlock):
    """The first and the second half of the channels."""

    def hybrid_forward(self, F, x):
        return F.slice_axis(x, axis=1, begin=0, end=8), F.slice_axis(x, axis=1, begin=8, end=16)


class OwnForward(nn.Conv2D):
    """A convolution that has a forward of its own."""

    def forward(self, x):
        return super().forward(x)


class Custom(HybridBlock):
    """A network with such a convolution."""

    def __init__(self):
        super().__init__()
        with self.name_scope():
            self.conv = OwnForward(16, 1, in_channels=3)

    def hybrid_forward(self, F, x):
        return self.conv(x)


def quantized():
    data = mx.sym.var("data", dtype="float32")
    return mx.gluon.SymbolBlock(mx.sym.relu(data), data)


def channels_last():
    net = nn.HybridSequential()
    net.add(nn.Conv2D(16, 1, layout="NHWC", in_channels=3))
    return net


@pytest.mark.parametrize(
    "make, after, options, message",
    [
        (
            small,
            "stem",
            {"kind": "gcn"},
            r"kind must be one of \['glore', 'nonlocal'\], given 'gcn'",
        ),
        (small, "stem", {"nodes": 8}, "options are .*'mid_channels'.*, given 'nodes'"),
        (
            small,
            "stem",
            {"mid_channels": 0},
            "stem_glore: mid_channels must be at least 1, given 0",
        ),
        (small, "stem", {"input_shape": (3, 64)}, "input_shape: a list of 3 to 5 values, .* given"),
        (
            small,
            "stem",
            {"input_shape": (1, 4, 9, 9)},
            r"Small does not take an input of \(1, 4, 9, 9\), give input_shape=.*inferred shape",
        ),
        (small, "stem", {"input_shape": (2, 3, 1, 1)}, "stem gives one location for an input of"),
        (lambda: get_model("tiny"), "x", {}, r"tiny is .*: get_spec\('tiny'\).with_units\(...\)"),
        (quantized, "x", {}, "graph that has no blocks, as exported and quantised networks"),
        (nn.Sequential, "x", {}, "units go into a HybridBlock, given Sequential"),
        (channels_last, "0", {}, "HybridSequential has its channels last, NHWC"),
        (channels_last, "0", {"input_shape": (1, 9, 9, 3)}, "has its channels last, NHWC"),
        (lambda: nn.Dense(3), "x", {}, "Dense runs no convolution .*give input_shape"),
        (Twice, "halves", {}, "halves gives 2 arrays, a unit follows one"),
        (Twice, "relu", {}, r"relu runs several times and gives \[8, 16\] channels"),
        (Twice, "unused", {}, "Twice does not run unused itself"),
        (Custom, "conv", {}, "conv is a OwnForward, which has a forward of its own"),
        (
            lambda: model_zoo.get_model("resnet18_v1b"),
            "flat",
            {},
            r"flat gives an array of shape \(1, 512\)",
        ),
        (Halves, "x", {}, "Halves runs no convolution"),
        (
            lambda: Backbone(Network(small_video()), ("res2",)),
            "features.4",
            {"input_shape": (1, 2, 9, 32, 32)},
            r"Backbone has .*3-D networks in it, .* time in the batch axis: get_spec",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_line(make, after, options, message):
    with pytest.raises(InputError, match=message) as error:
        insert_units(make(), after, **options)
    assert "\n" not in str(error.value)


def test_a_network_that_no_symbol_runs_is_refused():
    class Shaped(Small):
        def hybrid_forward(self, F, x):
            return super().hybrid_forward(F, x.reshape(x.shape))

    with pytest.raises(InputError, match="Shaped can't be run with a symbol, as hybridize does: "):
        insert_units(Shaped(), "stem")


def test_one_refused_place_leaves_the_network_as_it_is():
    net = small()
    insert_units(net, "body")
    net(numbers(1, 3, 4, 4))
    names, kind = list(net.collect_params()), type(net.stem)
    with pytest.raises(InputError, match="body has a unit behind it already"):
        insert_units(net, ["stem", "body", "last"])
    assert list(net.collect_params()) == names and type(net.stem) is kind
    assert not any(block._forward_hooks for block in (net.stem, net.body, net.last))
    assert [unit.path for unit in insert_units(net, ["stem", "last"])] == [
        "stem.glore",
        "last.glore",
    ]
