import dataclasses

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import HybridBlock

from gluon_glore import InputError, Network, get_model, get_spec, load_weights, save_weights
from gluon_glore.weights import by_name, load_arrays, named_arrays, plain_names
from tests.helpers.foreign import Foreign, foreign
from tests.helpers.networks import assert_same, initialize

NAME = "tiny_glore_0_1"


@pytest.fixture(scope="module")
def net():
    net = get_model(NAME, classes=3)
    initialize(net)
    return net


def places(net):
    """The parameters by their places in the blocks, as `save_parameters` names them."""
    return {place: param.data() for place, param in net._collect_params_with_prefix().items()}


def own(net):
    return plain_names(named_arrays(net))


def renamed(arrays, old, new):
    return {name.replace(old, new): array for name, array in arrays.items()}


SPELLINGS = {
    "own names": own,
    "net.export": named_arrays,
    "Module": lambda net: renamed(named_arrays(net), "_running_", "_moving_"),
    "collect_params of a block of the user's": lambda net: {
        f"mine0_{name}": array for name, array in own(net).items()
    },
    "save_parameters": places,
    "save_parameters of a block of the user's": lambda net: {
        f"body.net.{name}": array for name, array in places(net).items()
    },
    "a classifier of the user's": lambda net: renamed(own(net), "classifier_", "dense0_"),
    "its place in a block of the user's": lambda net: renamed(places(net), "output.", "fc."),
    "an export that takes pictures": lambda net: {
        **own(net),
        "preprocess_mean": mx.nd.ones((1, 1, 1, 1)),
    },
}


@pytest.mark.parametrize("spelled", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_read_by_the_networks_own_names(net, spelled):
    found = by_name(spelled(net), get_model(NAME))
    expected = own(net)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[k].asnumpy(), v.asnumpy()) for k, v in expected.items())


@pytest.mark.parametrize(
    ("filled", "source"),
    [
        ("tiny_glore_0_1", get_spec("tiny")),
        ("tiny_3d", get_spec("tiny_3d").flattened()),
        ("fcn_small_glore_1_cityscapes", get_spec("fcn_small_cityscapes")),
    ],
    ids=["no units", "2-D", "no units in its head"],
)
def test_places_are_those_of_the_network_that_the_file_is_of(filled, source):
    """In the network with units the same places are other layers'."""
    theirs = Network(source)
    expected = [param.name for param in theirs._collect_params_with_prefix().values()]
    arrays = {place: np.zeros(1) for place in theirs._collect_params_with_prefix()}
    assert list(by_name(arrays, get_model(filled))) == expected


def test_places_in_a_backbone_are_found_under_another_head():
    spec = get_spec("fcn_small_glore_1_cityscapes")
    backbone = Network(dataclasses.replace(spec, head=None))
    arrays = {place: np.zeros(1) for place in backbone._collect_params_with_prefix()}
    assert list(by_name(arrays, Network(spec))) == list(backbone.collect_params())


def test_a_network_in_a_block_of_the_users_has_its_prefix(net, tmp_path):
    class Mine(HybridBlock):
        def __init__(self):
            super().__init__(prefix="mine_")
            with self.name_scope():
                self.net = get_model(NAME, classes=3)

    block = Mine()
    assert all(name.startswith("mine_") for name in block.collect_params())
    save_weights(net, tmp_path / "w.params")
    load_weights(block, tmp_path / "w.params")
    save_weights(block, tmp_path / "mine.params")
    again = get_model(NAME, pretrained=tmp_path / "mine.params")
    assert_same(again, net)


THEIRS = {
    "own names": own,
    "net.export": named_arrays,
    "an export that takes pictures": SPELLINGS["an export that takes pictures"],
    "save_parameters": places,
    "save_parameters of a block of the user's": SPELLINGS[
        "save_parameters of a block of the user's"
    ],
}


@pytest.mark.parametrize("spelled", THEIRS.values(), ids=THEIRS)
@pytest.mark.parametrize("unit", [False, True])
def test_every_spelling_is_read_by_the_names_of_another_instance_of_any_block(spelled, unit):
    source, block = foreign(), Foreign(unit=unit)
    found = by_name(spelled(source), block)
    expected = {
        block._collect_params_with_prefix()[place].name: value
        for place, value in places(source).items()
    }
    assert found.keys() == expected.keys() <= set(block.collect_params())
    assert all(np.array_equal(found[k].asnumpy(), v.asnumpy()) for k, v in expected.items())


def test_names_that_count_on_are_no_other_instances():
    source, block = foreign(scoped=False), Foreign(scoped=False)
    assert set(by_name(own(source), block)) == set(own(source))
    assert set(by_name(places(source), block)) == set(block.collect_params())


def test_a_graph_of_mxnets_own_spelling_is_filled_by_names():
    """`mx.sym` calls statistics `_moving_`, in the graph as in the file."""
    data = mx.sym.var("data", dtype="float32")
    block = mx.gluon.SymbolBlock(mx.sym.BatchNorm(data, name="norm"), data)
    arrays = {f"arg:norm_{leaf}": 1 for leaf in ("gamma", "beta")}
    arrays.update({f"aux:norm_moving_{leaf}": 1 for leaf in ("mean", "var")})
    assert set(by_name(arrays, block)) == set(block.collect_params())


def test_a_layer_alone_has_places_without_a_dot():
    layer = mx.gluon.nn.Dense(2, in_units=3)
    assert list(by_name({"weight": 1, "bias": 2}, layer)) == list(layer.collect_params())


def test_no_array_is_lost_and_none_is_taken_for_another(net):
    arrays = own(net)
    extra = {**arrays, "head_weight": mx.nd.ones((2, 2))}
    assert set(by_name(extra, net)) == set(extra)
    narrow = {
        **{k: v for k, v in arrays.items() if not k.startswith("classifier_")},
        "dense0_weight": mx.nd.ones((3, 95)),
        "dense0_bias": mx.nd.ones(3),
    }
    assert set(by_name(narrow, net)) == set(narrow)  # takes other features: no classifier of it
    foreign = {place.replace("body", "branch"): a for place, a in places(net).items()}
    assert set(by_name(foreign, net)) == set(foreign)


def test_a_full_name_beside_its_place_is_refused():
    block = Foreign()
    bias = block.fc.bias.name
    for name in (bias, bias[len(block.prefix) :]):
        arrays = dict.fromkeys([*block._collect_params_with_prefix(), name])
        with pytest.raises(InputError, match=f"two arrays are called {name}"):
            by_name(arrays, block)


def test_two_arrays_of_one_name_are_refused(tmp_path):
    arrays = {"a_moving_mean": mx.nd.ones(1), "aux:a_running_mean": mx.nd.zeros(1)}
    mx.nd.save(str(tmp_path / "two.params"), arrays)
    with pytest.raises(InputError, match="two.params: two arrays are called a_running_mean"):
        load_arrays(tmp_path / "two.params")
