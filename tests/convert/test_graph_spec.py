import dataclasses
import json

import mxnet as mx
import numpy as np
import pytest
from gluoncv import model_zoo

from gluon_glore import InputError, Network, Stage, Stem, get_spec
from gluon_glore.convert.graph_spec import recognize
from gluon_glore.convert.mxnet_release import match
from gluon_glore.networks.graph import parse_nodes
from gluon_glore.weights import set_weights
from tests.helpers import mxnet_resnet
from tests.helpers.networks import execute


def nodes_of(symbol):
    return parse_nodes(json.loads(symbol.tojson())["nodes"])


def gluoncv_graph(name):
    """The graph of a network of GluonCV's."""
    return nodes_of(model_zoo.get_model(name, pretrained=False)(mx.sym.var("data")))


@pytest.mark.parametrize(
    ("name", "like", "blocks"),
    [
        ("resnet18_v2", "resnet18", (2, 2, 2, 2)),
        ("resnet34_v2", "resnet18", (3, 4, 6, 3)),
        ("resnet50_v2", "resnet50", (3, 4, 6, 3)),
        ("resnet101_v2", "resnet50", (3, 4, 23, 3)),
        ("resnet152_v2", "resnet50", (3, 8, 36, 3)),
    ],
)
def test_gluoncvs_pre_activation_networks_are_ours_with_a_norm_of_the_pixels(name, like, blocks):
    ours = get_spec(like)
    stages = tuple(dataclasses.replace(stage, blocks=n) for stage, n in zip(ours.stages, blocks))
    assert recognize(gluoncv_graph(name)) == dataclasses.replace(
        ours,
        stages=stages,
        stem=dataclasses.replace(ours.stem, norm_input=True),
        shared_norm=True,
        eps=1e-5,
        momentum=0.9,
        name="",
        source="",
    )


@pytest.mark.parametrize("name", ["resnet18_v1", "resnet50_v1b", "resnet50_v1d", "resnext50_32x4d"])
def test_post_activation_networks_are_refused_with_what_fits(name):
    message = r"post-activation network, .* pre-activation, as GluonCV's resnet50_v2 and MXNet's"
    with pytest.raises(InputError, match=message):
        recognize(gluoncv_graph(name))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cifar_resnet20_v2", "conv2_fwd has no BatchNorm and ReLU before it, as all layers of"),
        ("se_resnet18_v2", "broadcast_mul1 is no channel attention of those here, which is a pool"),
        ("cifar_wideresnet16_10", "ends no stem of those here, which is a convolution of the pix"),
        ("mobilenet1.0", "no residual or dual-path units of the released networks in it$"),
        ("densenet121", "no pool over all locations before densenet"),
        ("alexnet", "no pool over all locations before alexnet"),
        ("mobilenetv2_1.0", "no BatchNorm and ReLU before mobilenetv2"),
    ],
)
def test_networks_of_another_kind_are_refused_with_the_layer_that_tells(name, message):
    with pytest.raises(InputError, match=message):
        recognize(gluoncv_graph(name))


SMALL = ((1, 2, 1), (8, 16, 32, 64))


def test_mxnets_own_resnet_gives_its_own_logits():
    symbol = mxnet_resnet.symbol(*SMALL, classes=7)
    arrays = mxnet_resnet.random_arrays(symbol, 32)
    nodes = nodes_of(symbol)
    found = match(recognize(nodes), nodes, arrays)
    assert found.spec.stem == Stem(8, norm_input=True) and found.spec.shared_norm
    assert found.spec.stages == (Stage(1, 16, 1), Stage(2, 32, 2), Stage(1, 64, 2))
    assert (found.spec.eps, found.spec.momentum) == (2e-5, 0.9)
    assert found.notes == ("1 BatchNorms have a fixed gamma of 1",)
    x = mx.nd.random.normal(shape=(2, 3, 32, 32))
    net = Network(found.spec)
    ours = {name: mx.nd.array(array) for name, array in found.arrays.items()}
    set_weights(net.collect_params(), ours, "the file")
    logits = symbol.get_internals()["fc1_output"]
    theirs = {key: mx.nd.array(array) for key, array in arrays.items()}
    expected = execute(logits, theirs, x)
    assert np.abs(net(x).asnumpy() - expected).max() < 1e-4 * expected.std()


def test_mxnets_resnet50_is_read_whole():
    symbol = mxnet_resnet.symbol((3, 4, 6, 3), (64, 256, 512, 1024, 2048), 1000)
    found, ours = recognize(nodes_of(symbol)), get_spec("resnet50")
    assert found.stages == ours.stages and found.stem == Stem(norm_input=True)
    assert found.shared_norm and found.bottleneck


def test_a_stride_on_another_convolution_is_refused_by_its_name():
    symbol = mxnet_resnet.symbol(*SMALL, classes=7, stride_on=0)
    message = "stage2_unit1_conv1 has a stride; in the networks here .* on its 3x3 convolution"
    with pytest.raises(InputError, match=message):
        recognize(nodes_of(symbol))


def test_a_shortcut_that_no_spec_has_is_refused():
    """MXNet's resnet-18 projects in its first unit, which neither strides nor widens."""
    symbol = mxnet_resnet.symbol((2, 1), (16, 16, 32), classes=3, bottleneck=False, stride_on=0)
    nodes, arrays = nodes_of(symbol), mxnet_resnet.random_arrays(symbol, 32)
    with pytest.raises(InputError, match="things can't be mapped onto .*stage1_unit1_sc") as error:
        match(recognize(nodes), nodes, arrays)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("layer", "reads", "message"),
    [
        ("conv3", "relu1", r"units of \[1, 3\] convolutions: all have 2 or all have 3"),
        ("sc", "relu3", "stage1_unit1_.* and stage1_unit1_.*: none is a shortcut"),
        ("sc", "relu2", "stage1_unit1_.* and stage1_unit1_.*: none is a shortcut"),
    ],
)
def test_two_paths_that_are_no_shortcut_and_body_are_named(layer, reads, message):
    graph = json.loads(mxnet_resnet.symbol(*SMALL, classes=7).tojson())
    place = {node["name"]: i for i, node in enumerate(graph["nodes"])}
    other = [place[f"stage1_unit1_{reads}"], 0, 0]
    graph["nodes"][place[f"stage1_unit1_{layer}"]]["inputs"][0] = other
    with pytest.raises(InputError, match=message):
        recognize(parse_nodes(graph["nodes"]))
