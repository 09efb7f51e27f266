import dataclasses

import pytest

from gluon_glore import get_model, list_models
from gluon_glore.networks.paper import get_spec
from gluon_glore.plan.unit_names import OperatorNames, UnitNames


@pytest.mark.parametrize("name", list_models())
def test_every_parameter_has_its_unit(name):
    net = get_model(name)
    names = UnitNames(net.spec)
    owners = {names.of(parameter) for parameter in net.collect_params()}
    assert owners == set(names)
    units = [unit.name for unit in net.spec.plan()]
    units += [unit.name for unit in net.spec.head_plan() if unit.kind == "glore"]
    assert list(names)[1:-1] == units


def test_a_norm_of_the_pixels_is_the_stems_where_there_is_one():
    spec = get_spec("tiny")
    assert UnitNames(spec).of("input__bn_gamma") is None
    spec = dataclasses.replace(spec, stem=dataclasses.replace(spec.stem, norm_input=True))
    assert UnitNames(spec).of("input__bn_gamma") == "stem"


def test_an_extra_unit_is_not_the_one_it_follows():
    names = UnitNames(get_spec("resnet50_glore_2_3"))
    assert names.of("conv3_B01_extra_GCN-G__bn_fwd") == "conv3_B01_extra"
    assert names.of("conv3_B01__plus0") == "conv3_B01"
    assert names.of("conv3_B010_x") is None
    assert names.of("pool1_fwd") is None


def test_what_has_no_units_name_is_of_the_unit_it_feeds():
    names = UnitNames(get_spec("tiny_glore_0_1"))
    operators = [
        ("shape", ["broadcast"]),
        ("broadcast", ["conv4_B01__plus0"]),
        ("conv4_B01__plus0", ["conv4_B02_conv-m1__bn_fwd", "result"]),
        ("conv4_B02_conv-m1__bn_fwd", []),
        ("result", []),
    ]
    found = names.of_graph(operators)
    assert found["shape"] == found["broadcast"] == found["conv4_B01__plus0"] == "conv4_B01"
    assert found["conv4_B02_conv-m1__bn_fwd"] == "conv4_B02"
    assert found["result"] == "head"


def test_without_a_plan_each_layer_and_each_unit_in_between_is_one():
    convs = ("conv0", "3_glore_conv-state__conv", "3_glore_conv-proj__conv", "4_nl_nl-theta__conv")
    layers = [(f"net_{conv}_fwd", f"net_{conv}_weight") for conv in convs]
    layers += [("net_conv0_fwd_1", "net_conv0_weight"), ("fc1", "shared_by_many")]  # run twice
    names = OperatorNames.of_layers(layers)
    units = ["net_conv0", "net_3_glore", "net_4_nl", "fc1"]
    assert list(names) == units
    assert names.of("net_3_glore_fc-2__bn_fwd") == "net_3_glore"
    assert names.of("net_conv0_fwd_1") == names.of("net_conv0_bias") == "net_conv0"
    assert names.of("shared_by_many") == names.of("fc1") == "fc1"
    assert names.of("net_conv01_fwd") is None
    found = names.of_graph([("relu0", ["fc1"]), ("fc1", ["softmax"]), ("softmax", [])])
    assert found == {"relu0": "fc1", "fc1": "fc1", "softmax": "fc1"}
    told = OperatorNames(units)  # of a manifest
    assert told.of("net_3_glore_GCN-G__conv_weight") == "net_3_glore"
    assert told.of("net_conv0_fwd_exact") == "net_conv0"
