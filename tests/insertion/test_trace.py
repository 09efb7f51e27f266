import pytest
from gluoncv import model_zoo
from mxnet.gluon import nn

from gluon_glore import InputError
from gluon_glore.insertion.trace import Trace
from tests.helpers.gluoncv_networks import NETWORKS


def sequence(*layers):
    net = nn.HybridSequential()
    net.add(*layers)
    return net


@pytest.mark.parametrize(
    "layer, shape",
    [
        (nn.Conv1D(8, 3, in_channels=2), (1, 2, 224)),
        (nn.Conv2D(8, 3, in_channels=1), (1, 1, 224, 224)),
        (nn.Conv2D(8, 3), (1, 3, 224, 224)),
        (nn.Conv3D(8, 3), (1, 3, 128, 224, 224)),
    ],
)
def test_the_first_convolution_says_what_a_network_takes(layer, shape):
    assert (
        Trace(sequence(nn.BatchNorm(), layer, nn.Conv2D(8, 3, in_channels=5))).input_shape == shape
    )


def test_shapes_are_those_of_a_forward():
    row = NETWORKS["cifar_resnet20_v1"]
    net, x = row.make(), row.batch()
    traced = Trace(net, x.shape)
    y = x
    for path, block in zip(traced.sequence("features"), net.features):
        y = block(y)
        assert traced.shapes(path) == [[y.shape]]
    assert traced.shapes("output") == [[(2, 5)]]


def test_shapes_that_wait_for_an_input_go_on_waiting_and_no_hook_stays():
    net = model_zoo.get_model("resnet18_v1")
    before = {name: param.shape for name, param in net.collect_params().items()}
    traced = Trace(net)
    assert traced.shapes("features.6") == [[(1, 256, 14, 14)]]
    assert {name: param.shape for name, param in net.collect_params().items()} == before
    assert not any(block._forward_hooks for block in traced.blocks.values())


def test_layers_behind_a_place_need_not_take_the_input():
    net = sequence(nn.Conv2D(8, 3, strides=2), nn.AvgPool2D(50), nn.AvgPool2D(50), nn.AvgPool2D(50))
    traced = Trace(net, (1, 3, 32, 32))
    assert traced.shapes("0") == [[(1, 8, 15, 15)]]
    with pytest.raises(InputError, match=r"HybridSequential does not take an input of \(1, 3, 32"):
        traced.shapes("3")
