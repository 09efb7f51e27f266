import re

import numpy as np
import pytest

from gluon_glore import InputError, get_model
from gluon_glore.pytorch.names import our_name, their_name
from tests.helpers.places import GOLDEN


@pytest.mark.parametrize(
    "name", ["resnet50_3d_glore_2_3_kinetics400", "resnet101_3d_glore_2_3_kinetics400"]
)
def test_every_parameter_of_the_video_networks_has_one_name_of_theirs_and_back(name):
    ours = list(get_model(name).collect_params())
    theirs = [their_name(parameter) for parameter in ours]
    assert len(set(theirs)) == len(theirs)
    assert [our_name(parameter) for parameter in theirs] == ours


def test_statistics_have_the_names_of_the_authors_file():
    golden = np.load(GOLDEN / "kinetics_resnet50_3d_w-glore_2-3-golden.npz")
    theirs = {key[len("aux:") :] for key in golden.files if key.startswith("aux:")}
    params = get_model("resnet50_3d_glore_2_3_kinetics400").collect_params()
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
        "conv2.B01_extra.conv_m1.conv.weight",
        "module.tail.bn.bias",
        "a\nb",
        "",
    ],
)
def test_names_of_no_layer_are_refused(name):
    with pytest.raises(InputError, match=re.escape(f"given {name!r}")):
        our_name(name)


def test_units_the_authors_did_not_release_have_no_name_of_theirs():
    with pytest.raises(InputError, match="given 'conv3_B01_extra_nl-theta__conv_weight'"):
        their_name("conv3_B01_extra_nl-theta__conv_weight")
