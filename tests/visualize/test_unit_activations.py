import cv2
import mxnet as mx
import numpy as np
import pytest
from pytest import approx

from benchmarks.networks import settle
from gluon_glore import GloRe, InputError, get_model
from gluon_glore.convert.pytorch_names import our_name
from gluon_glore.layers.functional import broadcast_back, pool_locations, pool_to_nodes
from gluon_glore.model_zoo.load import load_network
from gluon_glore.visualize.unit_activations import glore_units, record_units
from tests.helpers.families import small
from tests.helpers.networks import open_gates, relative_error
from tests.helpers.places import GOLDEN, ROOT
from tests.helpers.units import OPTIONS
from train.digit_pairs import draw_pictures, load_digits


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

    for x, expected in zip(golden["x"], golden["y_eval"]):
        output, [view] = record_units(unit, x, glore_units(unit))
        flat = x.reshape(len(x), -1)
        mask, state = conv("conv_proj", flat), conv("conv_state", flat)
        features = mask @ state.T / (flat.shape[1] if normalize else 1)
        assert view.name == "conv3_B01_extra" and view.reverse is None
        assert relative_error(view.mask, mask.reshape(view.mask.shape)) < 1e-5
        assert relative_error(view.features, features) < 1e-5
        weight = theirs["gcn.conv1.weight"].reshape(view.nodes, view.nodes)
        assert np.array_equal(view.adjacency[0], weight) and len(view.adjacency) == 1
        related = features + conv("gcn.conv1", features)
        assert relative_error(view.states.T, conv("gcn.conv2", np.maximum(related.T, 0))) < 1e-5
        assert relative_error(output, expected) < 1e-4


@pytest.mark.parametrize("arrangement", ["pre", "post"])
@pytest.mark.parametrize("options", OPTIONS)
def test_maps_and_nodes_give_the_units_own_numbers_to_the_last_bit(options, arrangement):
    unit = GloRe(8, 5, arrangement=arrangement, prefix="a_extra_", **options)
    unit.initialize(mx.init.Normal(0.5))
    open_gates(unit)
    x = np.random.RandomState(0).normal(size=(8, 9, 7)).astype("float32")
    output, [view] = record_units(unit, x, glore_units(unit))
    batch, mask, back = (mx.nd.array(a[None]) for a in (x, view.mask, view.back))
    way_in, pooled = batch, mask
    if options.get("pool_stride"):
        way_in, pooled = (pool_locations(mx.nd, a, batch, (2, 2)) for a in (batch, mask))
    features = pool_to_nodes(mx.nd, unit.state(way_in), pooled, options.get("normalize", False))
    assert np.array_equal(features[0, :, :, 0].asnumpy().T, view.features)
    y = broadcast_back(mx.nd, mx.nd.array(view.states.T[None, :, :, None]), back)
    y = unit.extension(y)
    y = batch + (unit.norm(y) if unit.norm else y)
    assert np.array_equal(y[0].asnumpy(), output)
    assert (view.reverse is None) == options.get("shared_projection", True)
    assert len(view.adjacency) == options.get("graph_layers", 1)


def test_the_nodes_shares_of_the_energy_are_those_of_what_they_give_back():
    net = get_model("tiny_glore_0_1", pretrained=True)
    x = np.random.RandomState(0).normal(size=(1, 64, 64)).astype("float32")
    _, [view] = record_units(net, x, glore_units(net))
    given = view.states[:, :, None, None] * view.back[:, None]  # (N, S, h, w)
    energy = np.square(given, dtype=float).sum((1, 2, 3))
    assert relative_error(view.strength, energy / energy.sum()) < 1e-6


def test_units_of_a_network_are_found_in_order_also_on_dual_paths():
    net = get_model("resnet50_glore_2_3")
    names = [unit.name for unit in net.spec.plan() if unit.kind == "glore"]
    assert list(glore_units(net)) == names and len(names) == 5
    net = small("dpn", 2, 8, ("glore", {}))
    net.initialize()
    x = mx.nd.random.normal(shape=(4, 2, 9, 7))
    settle(net, x)
    [name] = [unit.name for unit in net.spec.plan() if unit.kind == "glore"]
    output, [view] = record_units(net, x[1].asnumpy(), glore_units(net))
    assert view.name == name
    assert relative_error(output, net(x)[1].asnumpy()) < 1e-5


def test_a_hybridized_network_is_seen_too_and_left_without_hooks():
    net = get_model("tiny_glore_0_1", pretrained=True)
    net.hybridize(static_alloc=True, static_shape=True)
    x = np.random.RandomState(0).normal(size=(2, 1, 64, 64)).astype("float32")
    expected = net(mx.nd.array(x)).asnumpy()
    for picture, logits in zip(x, expected):
        output, [view] = record_units(net, picture, glore_units(net))
        assert relative_error(output, logits) < 1e-5 and view.mask.shape == (64, 8, 8)
    [unit] = glore_units(net).values()
    assert not unit.projection._forward_hooks and not unit.graph._forward_hooks


def test_networks_without_units_and_numbers_that_overflow_are_refused():
    with pytest.raises(InputError, match="no GloRe units"):
        glore_units(get_model("tiny_nl_0_1"))
    net = get_model("tiny_glore_0_1", pretrained=True)
    net.collect_params()["conv4_B01_extra_conv-proj__conv_weight"].set_data(
        mx.nd.full((64, 96, 1, 1), 1e38)
    )
    with pytest.raises(InputError, match="conv4_B01_extra: its numbers are not finite"):
        record_units(net, np.ones((1, 64, 64), np.float32), glore_units(net))
    net = get_model("tiny_glore_0_1", pretrained=True)
    net.output.bias.set_data(mx.nd.array([np.inf, 0]))
    with pytest.raises(InputError, match="the network's outputs are not finite"):
        record_units(net, np.ones((1, 64, 64), np.float32), glore_units(net))


def test_what_the_page_tells_of_the_network_that_comes_with_the_package_is_so():
    """docs/show.md, "What is to be seen": the first 200 test pairs of the README's data set."""
    text = " ".join((ROOT / "docs/show.md").read_text().split())
    net, manifest = load_network("tiny_glore_0_1")
    units = glore_units(net)
    near = np.ones((9, 9), np.uint8)  # 4 pixels around the ink
    ratios, shares, first = [], [], []
    for picture, _ in draw_pictures(load_digits()[1], 200, [0, 1]):
        _, (view,) = record_units(net, manifest.preprocess.normalize(picture[:, :, None]), units)
        energy = np.einsum("n,nhw->hw", view.strength, np.square(normed(view.back)))
        energy = cv2.resize(energy, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)
        digits = cv2.dilate((picture > 0).astype(np.uint8), near) > 0
        ratios.append(energy[digits].mean() / energy[~digits].mean())
        strongest = view.strongest(8)
        shares.append(view.strength[strongest].sum())
        first.append(strongest[0])
    print(np.median(ratios), np.mean(shares), first.count(54))
    assert "4.4 times as much energy a pixel" in text and np.median(ratios) == approx(4.4, abs=0.1)
    assert "8 of 64 nodes give back half" in text and np.mean(shares) == approx(0.5, abs=0.03)
    assert "node 54, is the strongest in 81 of" in text and first.count(54) == approx(81, abs=3)


def normed(maps):
    """Maps of energy one each."""
    return maps / np.sqrt(np.square(maps).sum((1, 2), keepdims=True))
