import re

import numpy as np
import pytest

from gluon_glore import InputError, get_spec, list_models
from gluon_glore.plan.parameters import parameter_shapes
from gluon_glore.pytorch.names import our_name, their_name
from tests.helpers.odd_networks import ODD
from tests.helpers.places import GOLDEN


def test_statistics_have_the_names_of_the_authors_file():
    golden = np.load(GOLDEN / "kinetics_resnet50_3d_w-glore_2-3-golden.npz")
    theirs = {key[len("aux:") :] for key in golden.files if key.startswith("aux:")}
    params = parameter_shapes(get_spec("resnet50_3d_glore_2_3_kinetics400"))
    ours = {name for name in params if "running" in name}
    assert {our_name(name) for name in theirs} == ours
    assert {their_name(name) for name in ours} == theirs


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("conv1.conv.weight", "conv1__conv_weight"),
        ("tail.bn.bias", "tail__bn_beta"),
        ("classifier.bias", "classifier_bias"),
        ("conv2.B01.conv_m1.bn.running_var", "conv2_B01_conv-m1__bn_running_var"),
        ("conv4.B23.conv_w1.conv.weight", "conv4_B23_conv-w1__conv_weight"),
        ("conv3.B01_extra.conv_state.bias", "conv3_B01_extra_conv-state__conv_bias"),
        ("conv3.B01_extra.gcn.conv1.bias", "conv3_B01_extra_GCN-G__conv_bias"),
        ("conv3.B01_extra.gcn.conv2.weight", "conv3_B01_extra_GCN-GHW__conv_weight"),
        ("conv4.B05_extra.conv_extend.weight", "conv4_B05_extra_fc-2__conv_weight"),
        ("conv4.B05_extra.blocker.weight", "conv4_B05_extra_fc-2__bn_gamma"),
        ("conv4.B03_extra.conv_state_bn.weight", "conv4_B03_extra_conv-state__bn_gamma"),
        ("conv4.B03_extra.gcn_2.conv1_bn.bias", "conv4_B03_extra_GCN-G-2__bn_beta"),
        ("conv4.B03_extra.gcn_12.conv2.weight", "conv4_B03_extra_GCN-GHW-12__conv_weight"),
        ("conv3.B01_extra.nl_theta.weight", "conv3_B01_extra_nl-theta__conv_weight"),
        ("conv3.B01_extra.nl_out_bn.weight", "conv3_B01_extra_nl-out__bn_gamma"),
        ("conv3.B01.se_fc1.weight", "conv3_B01_se-fc1_weight"),
        ("conv2.x__1.c1x1_w_s1.bn.weight", "conv2_x__1_c1x1-w(s/1)__bn_gamma"),
        ("conv3.x__12.c3x3_b.conv.weight", "conv3_x__12_c3x3-b__conv_weight"),
        ("conv4.x__3_extra.conv_tail_den.weight", "conv4_x__3_extra_conv-tail-den__conv_weight"),
        ("head.extra1.blocker.bias", "head_extra1_fc-2__bn_beta"),
        ("auxiliary.classifier.bias", "auxiliary_classifier_bias"),
    ],
)
def test_names_by_hand(theirs, ours):
    assert our_name(theirs) == ours
    assert their_name(ours) == theirs


@pytest.mark.parametrize(
    "name",
    [
        "conv1.bn.num_batches_tracked",
        "conv2.B01.gcn.conv1.weight",
        "conv2.B01_extra.gcn_#.conv1.weight",
        "conv2.x__1.c1x1_w_s.bn.weight",
        "conv2.x__1.conv_m1.conv.weight",
        "conv2.B01_extra.conv_m1.conv.weight",
        "module.tail.bn.bias",
        "a\nb",
        "",
    ],
)
def test_names_of_no_layer_are_refused(name):
    with pytest.raises(InputError, match=re.escape(f"given {name!r}")):
        our_name(name)


@pytest.mark.parametrize("name", list_models())
def test_every_parameter_has_one_name_of_theirs_and_back(name):
    ours = list(parameter_shapes(get_spec(name)))
    theirs = [their_name(parameter) for parameter in ours]
    assert len(set(theirs)) == len(theirs)
    assert [our_name(parameter) for parameter in theirs] == ours


@pytest.mark.parametrize("spec", ODD.values(), ids=ODD)
def test_every_parameter_of_every_option_has_one_name_of_theirs_and_back(spec):
    ours = list(parameter_shapes(spec))
    theirs = [their_name(parameter) for parameter in ours]
    assert len(set(theirs)) == len(theirs)
    assert [our_name(parameter) for parameter in theirs] == ours
