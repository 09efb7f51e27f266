import pytest
from gluoncv import model_zoo

from gluon_glore import InputError, insert_units
from gluon_glore.insertion.places import find_places
from gluon_glore.insertion.trace import Trace


@pytest.fixture(scope="module")
def traced():
    return Trace(model_zoo.get_model("resnet18_v1b"))


def is_basic(block):
    return type(block).__name__ == "BasicBlockV1b"


def is_fourth_stage(block):
    return block.prefix == "resnetv1b_layers4_"


@pytest.mark.parametrize(
    "after, places",
    [
        ("layer3", ["layer3"]),
        ("layer3.0.bn1", ["layer3.0.bn1"]),
        ("res4", ["layer3"]),
        ({"res4": (2,)}, ["layer3.1"]),
        ({"layer3": (2, 1), "res3": [1]}, ["layer2.0", "layer3.0", "layer3.1"]),
        ("resnetv1b_layers3_", ["layer3"]),  # prefixes, with and without the network's
        ("layers3", ["layer3"]),
        ({"layers3_": (1,)}, ["layer3.0"]),
        (is_basic, [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]),
        (["bn1", {"layer3": (1,)}, is_fourth_stage], ["bn1", "layer3.0", "layer4"]),
        (({"layer3": (1,)}, {"layer3": ()}), ["layer3.0"]),
    ],
)
def test_places_are_found_in_the_networks_order(traced, after, places):
    assert find_places(after, traced) == places


@pytest.mark.parametrize(
    "after, message",
    [
        ("layer7", "^ResNetV1b has no block 'layer7', closest: layer4, layer3, layer2$"),
        ("res7", "has no block 'res7', closest: res5, res4, res3"),
        ("head", "has no block 'head', it has: res2, res3, res4, res5, conv1, bn1, relu, maxpool"),
        ("", "has no block ''"),
        ({"layer3": (1, 3)}, r"after\['layer3'\]\[1\]: the number of a block from 1 to 2, given 3"),
        ({"res4": (0,)}, r"after\['res4'\]\[0\]: the number of a block from 1 to 2, given 0"),
        ({"layer3": (1.0,)}, "the number of a block from 1 to 2, given 1.0"),
        ({"layer3": (True,)}, "the number of a block from 1 to 2, given True"),
        (
            {"layer3": 2},
            r"after\['layer3'\]: a list of values, each the number of a block .* given 2",
        ),
        (
            {"layer3": "12"},
            r"after\['layer3'\]: a list of values, each the number of a block .* given '12'",
        ),
        ({"layer3.0": (1,)}, "layer3.0 is no sequence of blocks: give 'layer3.0' without numbers"),
        ({3: (1,)}, "has no block 3"),
        ({"layer3": ()}, r"after: \{'layer3': \(\)\} names no block of ResNetV1b"),
        ([], r"after: \[\] names no block"),
        (lambda block: False, "after: the function names no block of ResNetV1b"),
        (["layer3.0", {"res4": (1,)}], "layer3.0 is named twice"),
        ({"res4": (1,), "layers3": (1,)}, "layer3.0 is named twice"),
        (3, "after must be a path, a stage, .* given 3"),
        ([None], "after must be a path, a stage, .* given None"),
    ],
)
def test_what_names_no_place_is_refused_in_a_line(traced, after, message):
    with pytest.raises(InputError, match=message) as error:
        find_places(after, traced)
    assert "\n" not in str(error.value)


def test_units_are_neither_places_nor_counted():
    net = model_zoo.get_model("resnet18_v1b")
    insert_units(net, ["layer3", "layer3.0"])
    traced = Trace(net)
    assert find_places({"layer3": (1, 2)}, traced) == ["layer3.0", "layer3.1"]
    assert not any("glore" in path for path in find_places(lambda block: True, traced))
    with pytest.raises(InputError, match="the number of a block from 1 to 2, given 3"):
        find_places({"layer3": (3,)}, traced)
    with pytest.raises(InputError, match="has no block 'layer3.0.glore'"):
        find_places("layer3.0.glore", traced)
