import pytest
from gluoncv import model_zoo
from gluoncv.model_zoo.action_recognition.actionrec_resnetv1b import ActionRecResNetV1b
from mxnet.gluon import nn
from mxnet.gluon.model_zoo import vision

from gluon_glore.insertion.stages import stages_of
from gluon_glore.insertion.trace import Trace
from tests.helpers.gluoncv_networks import NETWORKS

FOUR = ("res2", "res3", "res4", "res5")


def stages(net):
    """{stage: (path of its end, number of its blocks)}."""
    return {name: (path, len(blocks)) for name, (path, blocks) in stages_of(Trace(net)).items()}


def layers(*counts):
    return {f"res{n}": (f"layer{n - 1}", count) for n, count in enumerate(counts, 2)}


def features(first, *counts, step=1):
    """Stages of `features`, the first at number `first`."""
    numbers = range(first, first + step * len(counts), step)
    return {f"res{n}": (f"features.{i}", c) for n, i, c in zip(range(2, 6), numbers, counts)}


MOBILE = {"res2": 2, "res3": 2, "res4": 6, "res5": 2}  # Howard et al. 2017, Table 1


@pytest.mark.parametrize(
    "name, expected",
    [
        ("resnet34_v1b", layers(3, 4, 6, 3)),
        ("resnet50_v1s", layers(3, 4, 6, 3)),
        ("resnest14", layers(1, 1, 1, 1)),
        ("resnet34_v1", features(4, 3, 4, 6, 3)),
        ("resnet34_v2", features(5, 3, 4, 6, 3)),
        ("se_resnet34_v1", features(4, 3, 4, 6, 3)),
        ("resnext50_32x4d", features(4, 3, 4, 6, 3)),
        ("cifar_resnet20_v1", features(2, 3, 3, 3)),
        ("densenet121", features(4, 6, 12, 24, 16, step=2)),
        (
            "mobilenet0.25",
            {stage: (f"features.{i}", MOBILE[stage]) for stage, i in zip(FOUR, (20, 32, 68, 80))},
        ),
        (  # Sandler et al. 2018, Table 2: 2 blocks of 24 channels, 3 of 32, 4 and 3, 3 and 1
            "mobilenetv2_0.25",
            dict(zip(FOUR, [(f"features.{i}", c) for i, c in ((5, 2), (8, 3), (15, 7), (19, 4))])),
        ),
        (  # Howard et al. 2019, Table 1
            "mobilenetv3_large",
            dict(zip(FOUR, [(f"features.{i}", c) for i, c in ((5, 2), (8, 3), (14, 6), (17, 3))])),
        ),
        ("vgg11", {}),
        ("squeezenet1.0", {}),
    ],
)
def test_stages_of_networks_of_pictures(name, expected):
    assert stages(model_zoo.get_model(name)) == expected


@pytest.mark.parametrize(
    "name, expected",
    [
        ("fcn", layers(1, 1, 2, 1)),
        ("i3d", {f"res{n}": (f"res_layers.{n - 2}", c) for n, c in enumerate((1, 1, 2, 1), 2)}),
        ("slowfast", {f"res{n}": (f"slow_res{n}", c) for n, c in enumerate((1, 1, 2, 1), 2)}),
        ("r2plus1d", layers(1, 1, 2, 1)),
    ],
)
def test_stages_of_networks_of_pixels_and_videos(name, expected):
    assert stages(NETWORKS[name].construct()) == expected


def test_stages_of_networks_of_videos_that_see_pictures():
    assert stages(ActionRecResNetV1b(34, 5, pretrained_base=False)) == layers(3, 4, 6, 3)


def test_networks_of_gluons_own_zoo_have_them_too():
    assert stages(vision.resnet34_v2()) == features(5, 3, 4, 6, 3)
    assert stages(vision.mobilenet0_25())["res4"] == ("features.68", 6)
    assert stages(vision.mobilenet_v2_0_25())["res4"] == ("features.15", 7)


def test_a_users_own_network_of_such_a_name_is_not_guessed_at():
    class MobileNet(nn.HybridSequential):
        pass

    net = MobileNet()
    net.add(nn.Conv2D(8, 3))
    assert stages(net) == {}
