import mxnet as mx
import numpy as np
import pytest
from gluoncv.model_zoo import resnet18_v1b

from benchmarks.networks import settle
from gluon_glore import (
    GloRe,
    InputError,
    NetSpec,
    Network,
    export_model,
    get_model,
    get_spec,
    import_model,
)
from gluon_glore.export.optimize import as_block
from gluon_glore.layers.functional import broadcast_back, pool_locations, pool_to_nodes
from gluon_glore.pytorch.names import our_name
from gluon_glore.visualize.unit_recorder import UnitRecorder
from gluon_glore.weights import named_arrays, set_weights
from gluon_glore.weights.manifest import Manifest
from gluon_glore.weights.names import without_kinds
from symbols import get_symbol
from tests.helpers.exports import TINY
from tests.helpers.families import small
from tests.helpers.networks import initialize, open_gates, relative_error
from tests.helpers.places import GOLDEN
from tests.helpers.small_video import small as small_video
from tests.helpers.units import OPTIONS, SPACES


def record(net, *inputs):
    """The outputs of a network for inputs `(C, *space)`, and the views of its units."""
    output, views = UnitRecorder(net).record([mx.nd.array(np.stack(inputs))])
    return output, list(views.values())


@pytest.mark.parametrize("case", ["2d", "2d_normalized"])
def test_a_view_has_the_numbers_of_the_authors_unit(case):
    golden = np.load(GOLDEN / f"glore_unit_{case}.npz")
    normalize = bool(golden["normalize"])
    unit = GloRe(
        int(golden["num_in"]),
        int(golden["num_mid"]),
        arrangement="post",
        normalize=normalize,
        prefix="conv3_B01_extra_",
    )
    unit.initialize()
    theirs = {key[6:]: golden[key] for key in golden.files if key.startswith("param/")}
    for name, value in theirs.items():
        param = unit.collect_params()[our_name(f"conv3.B01_extra.{name}")]
        param.set_data(mx.nd.array(value.reshape(param.shape)))

    def conv(name, x):
        weight = theirs[f"{name}.weight"].reshape(theirs[f"{name}.weight"].shape[:2])
        return np.tensordot(weight, x, 1) + theirs.get(f"{name}.bias", np.zeros(1))[:, None]

    outputs, [view] = record(unit, *golden["x"])
    assert view.name == "conv3_B01_extra" and view.reverse is None
    for i, (x, expected) in enumerate(zip(golden["x"], golden["y_eval"])):
        flat = x.reshape(len(x), -1)
        mask, state = conv("conv_proj", flat), conv("conv_state", flat)
        features = mask @ state.T / (flat.shape[1] if normalize else 1)
        assert relative_error(view.maps[i], mask.reshape(view.maps[i].shape)) < 1e-5
        assert relative_error(view.features[i], features) < 1e-5
        weight = theirs["gcn.conv1.weight"].reshape(view.nodes, view.nodes)
        assert np.array_equal(view.adjacency[0], weight) and len(view.adjacency) == 1
        related = features + conv("gcn.conv1", features)
        assert relative_error(view.states[i].T, conv("gcn.conv2", np.maximum(related.T, 0))) < 1e-5
        assert relative_error(outputs[i], expected) < 1e-4


@pytest.mark.parametrize("arrangement", ["pre", "post"])
@pytest.mark.parametrize("options", OPTIONS)
def test_maps_and_nodes_give_the_units_own_numbers_to_the_last_bit(options, arrangement):
    unit = GloRe(8, 5, arrangement=arrangement, prefix="a_extra_", **options)
    unit.initialize(mx.init.Normal(0.5))
    open_gates(unit)
    x = np.random.RandomState(0).normal(size=(8, 9, 7)).astype("float32")
    [output], [view] = record(unit, x)
    batch, mask, back = (mx.nd.array(a) for a in (x[None], view.maps, view.back))
    way_in, pooled = batch, mask
    if options.get("pool_stride"):
        way_in, pooled = (pool_locations(mx.nd, a, batch, (2, 2)) for a in (batch, mask))
    features = pool_to_nodes(mx.nd, unit.state(way_in), pooled, options.get("normalize", False))
    assert np.array_equal(features[0, :, :, 0].asnumpy().T, view.features[0])
    y = broadcast_back(mx.nd, mx.nd.array(view.states[0].T[None, :, :, None]), back)
    y = unit.extension(y)
    y = batch + (unit.norm(y) if unit.norm else y)
    assert np.array_equal(y[0].asnumpy(), output)
    assert (view.reverse is None) == options.get("shared_projection", True)
    assert len(view.adjacency) == options.get("graph_layers", 1)


def test_the_nodes_shares_of_the_energy_are_those_of_what_they_give_back():
    net = get_model("tiny_glore_0_1", pretrained=True)
    x = np.random.RandomState(0).normal(size=(1, 64, 64)).astype("float32")
    _, [view] = record(net, x)
    given = view.states[0, :, :, None, None] * view.back[0, :, None]  # (N, S, h, w)
    energy = np.square(given, dtype=float).sum((1, 2, 3))
    assert relative_error(view.strength[0], energy / energy.sum()) < 1e-6


@pytest.mark.parametrize("arrangement", ["pre", "post"])
@pytest.mark.parametrize("axes", [1, 3])
def test_maps_have_the_locations_axes_in_any_dimension(axes, arrangement):
    """They are those of the same unit on flattened locations, in the locations' own axes."""
    space = SPACES[axes]
    unit = GloRe(8, 5, ndim=axes, arrangement=arrangement, shared_projection=False, prefix="a_")
    unit.initialize(mx.init.Normal(0.5))
    open_gates(unit)
    flat = GloRe(8, 5, arrangement=arrangement, shared_projection=False, prefix="a_")
    flat.initialize()
    for param, other in zip(flat.collect_params().values(), unit.collect_params().values()):
        param.set_data(other.data())
    x = np.random.RandomState(0).normal(size=(2, 8, *space)).astype("float32")
    outputs, [view] = record(unit, *x)
    expected, [same] = record(flat, *x.reshape(2, 8, -1, 1))
    assert relative_error(outputs, expected.reshape(outputs.shape)) < 1e-6
    for part in ("maps", "reverse"):
        maps = getattr(view, part)
        assert maps.shape == (2, 5, *space)
        assert relative_error(maps, getattr(same, part).reshape(maps.shape)) < 1e-6
    assert relative_error(view.strength, same.strength) < 1e-6


def test_maps_of_networks_of_sequences_and_of_videos_have_their_axes():
    for axes, shape in ((1, (2, 2, 33)), (3, (2, 2, 4, 17, 15))):
        net = small("resnet", axes, 8, ("glore", {}))
        net.initialize()
        x = mx.nd.random.normal(shape=shape)
        settle(net, x)
        outputs, [view] = record(net, *x.asnumpy())
        assert relative_error(outputs, net(x).asnumpy()) < 1e-5
        assert view.maps.ndim == 2 + axes and view.maps.shape[:2] == (2, view.nodes)


def test_maps_of_clips_with_time_in_the_batch_axis_are_those_of_an_axis_for_time(monkeypatch):
    options = {"arrangement": "post", "shared_projection": False}
    net = Network(small_video().with_units("glore", res3=(1,), **options))
    net.initialize(mx.init.Normal(0.2))
    x = mx.nd.random.normal(shape=(3, 2, 9, 32, 32))
    settle(net, x)
    _, [view] = record(net, *x.asnumpy())
    monkeypatch.setattr(NetSpec, "clip_frames", 0)
    other = Network(net.spec)
    set_weights(other.collect_params(), without_kinds(named_arrays(net)), "itself")
    _, [same] = record(other, *x.asnumpy())
    assert view.maps.shape == (3, 8, 5, 4, 4)
    for part in ("maps", "reverse", "features", "states", "adjacency"):
        assert relative_error(getattr(view, part), getattr(same, part)) < 1e-4


def test_a_unit_on_one_of_two_paths_is_seen():
    net = small("dpn", 2, 8, ("glore", {}))
    net.initialize()
    x = mx.nd.random.normal(shape=(4, 2, 9, 7))
    settle(net, x)
    [name] = [unit.name for unit in net.spec.plan() if unit.kind == "glore"]
    outputs, [view] = record(net, *x.asnumpy())
    assert view.name == name
    assert relative_error(outputs, net(x).asnumpy()) < 1e-5


def test_a_hybridized_network_is_seen_too_and_left_hybridized():
    net = get_model("tiny_glore_0_1", pretrained=True)
    net.hybridize(static_alloc=True, static_shape=True)
    x = np.random.RandomState(0).normal(size=(2, 1, 64, 64)).astype("float32")
    expected, cached = net(mx.nd.array(x)).asnumpy(), net._cached_op
    outputs, [view] = record(net, *x)
    assert relative_error(outputs, expected) < 1e-5 and view.maps.shape == (2, 64, 8, 8)
    assert net._active and net._cached_op is cached is not None
    with mx.autograd.record():  # and the copy that is run is no part of training
        again, _ = record(net, *x)
    assert np.array_equal(again, outputs)
    assert np.array_equal(net(mx.nd.array(x)).asnumpy(), expected)


def test_what_is_recorded_in_batches_is_what_is_recorded_at_once():
    net = get_model("tiny_glore_0_1", pretrained=True)
    x = np.random.RandomState(0).normal(size=(5, 1, 64, 64)).astype("float32")
    at_once, [view] = record(net, *x)
    outputs, views = UnitRecorder(net).record(map(mx.nd.array, (x[:2], x[2:4], x[4:])))
    [parts] = views.values()
    assert relative_error(outputs, at_once) < 1e-6
    for part in ("maps", "features", "states", "strength"):
        assert relative_error(getattr(parts, part), getattr(view, part)) < 1e-5
    assert np.array_equal(parts.adjacency, view.adjacency) and parts.adjacency.shape == (1, 64, 64)


@pytest.mark.parametrize("options", [{}, {"arrangement": "post", "graph_layers": 2}])
def test_the_graph_of_an_export_has_the_numbers_of_its_network(options, tmp_path):
    """Also one that was optimized for inference, whose norms are part of convolutions."""
    spec = get_spec("tiny").with_units("glore", res3=(1,), res4=(1,), **options)
    net = Network(spec, classes=2)
    initialize(net)
    open_gates(net)
    x = np.random.RandomState(0).normal(size=(4, 1, 64, 64)).astype("float32")
    settle(net, mx.nd.array(x))
    outputs, views = record(net, *x)
    for plain in (True, False):
        folder = tmp_path / str(plain)
        export_model(net, folder, Manifest("tiny", ("a", "b"), TINY), plain=plain)
        block, _ = import_model(folder)
        again, same = record(block, *x)
        assert relative_error(again, outputs) < 1e-4
        assert [view.name for view in same] == [view.name for view in views] and len(views) == 2
        for one, other in zip(same, views):
            for part in ("maps", "features", "states", "adjacency"):
                assert relative_error(getattr(one, part), getattr(other, part)) < 1e-4


def test_a_symbol_spelled_by_hand_has_its_units_under_the_same_names():
    net = get_model("tiny_glore_0_1", pretrained=True)
    arrays = {name: param.data() for name, param in net.collect_params().items()}
    x = np.random.RandomState(0).normal(size=(2, 1, 64, 64)).astype("float32")
    outputs, [view] = record(net, *x)
    again, [same] = record(as_block(get_symbol("tiny_glore_0_1"), arrays), *x)
    assert same.name == view.name
    assert relative_error(again, outputs) < 1e-5
    assert relative_error(same.maps, view.maps) < 1e-5


def test_a_unit_in_a_network_of_gluoncvs_is_seen_there():
    """A unit between two stages, its numbers from the blocks that it is made of."""
    net = resnet18_v1b(classes=3, pretrained_base=False)
    with net.name_scope():
        unit = GloRe(128, 6, arrangement="post", prefix="layer2_1_glore_")
    net.layer2.add(unit)
    net.initialize()
    open_gates(net)
    net.hybridize()
    x = mx.nd.random.normal(shape=(2, 3, 64, 64))
    expected = net(x).asnumpy()
    outputs, [view] = record(net, *x.asnumpy())
    assert view.name == f"{net.prefix}layer2_1_glore"
    assert relative_error(outputs, expected) < 1e-5
    before = net.maxpool(net.relu(net.bn1(net.conv1(x))))
    before = net.layer1(before)
    for block in list(net.layer2)[:-1]:
        before = block(before)
    assert relative_error(view.maps, unit.projection(before).asnumpy()) < 1e-5
    with pytest.raises(InputError, match=f"no unit layer2, but {view.name}"):
        UnitRecorder(net, "layer2")


def test_the_digest_tells_networks_and_weights_apart():
    net = get_model("tiny_glore_0_1", pretrained=True)
    digest = UnitRecorder(net).digest
    assert digest == UnitRecorder(get_model("tiny_glore_0_1", pretrained=True)).digest
    net.output.bias.set_data(net.output.bias.data() + 1e-3)
    assert digest != UnitRecorder(net).digest


def test_networks_without_units_and_numbers_that_overflow_are_refused():
    with pytest.raises(InputError, match="no GloRe units"):
        UnitRecorder(get_model("tiny_nl_0_1"))
    net = get_model("tiny_glore_0_1", pretrained=True)
    net.collect_params()["conv4_B01_extra_conv-proj__conv_weight"].set_data(
        mx.nd.full((64, 96, 1, 1), 1e38)
    )
    ones = np.ones((1, 64, 64), np.float32)
    with pytest.raises(InputError, match="conv4_B01_extra: its numbers are not finite"):
        record(net, ones)
    net = get_model("tiny_glore_0_1", pretrained=True)
    net.output.bias.set_data(mx.nd.array([np.inf, 0]))
    with pytest.raises(InputError, match="the network's outputs are not finite"):
        record(net, ones)


def test_what_cannot_be_recorded_is_refused_in_one_line():
    net = get_model("tiny_glore_0_1")
    for given, message in (
        (net, "has no values yet"),
        (mx.gluon.Block(), "a Gluon HybridBlock is needed, given Block"),
    ):
        with pytest.raises(InputError, match=message):
            UnitRecorder(given)
    net = get_model("tiny_glore_0_1", pretrained=True)
    for shape, message in (
        ((1, 2, 2), "input of 2x2 is too small"),
        ((1, 64), "takes 2 dimensions"),
        ((3, 64, 64), r"the network can't run on an input \(1, 3, 64, 64\): "),
    ):
        with pytest.raises(InputError, match=message) as refused:
            record(net, np.ones(shape, np.float32))
        assert "\n" not in str(refused.value)
