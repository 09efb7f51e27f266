import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon

from gluon_glore import GloReHead, InputError, Network, get_spec
from tests.helpers.networks import initialize, open_gates, relative_error

SMALL = {"classes": 5, "nodes": 4, "channels": 16}


def noise(*shape):
    return mx.nd.array(np.random.RandomState(0).normal(size=shape))


@pytest.mark.parametrize("deferred", [False, True])
def test_it_is_the_head_of_our_own_networks(deferred):
    """The same parameters, by the same names behind the prefix; the same logits."""
    net = Network(get_spec("fcn_small_glore_1_cityscapes"), classes=5)
    initialize(net)
    open_gates(net)
    own = net.spec.head
    units = len(list(net.spec.head_plan()))
    before = net.features[: len(net.features) - units - 1]  # and the dropout
    features = before[0](noise(2, 3, 40, 56))
    for layer in before[1:]:
        features = layer(features)

    head = GloReHead(
        5,
        own.mid_channels,
        own.channels,
        in_channels=0 if deferred else features.shape[1],
        prefix="mine_",
    )
    head.initialize()
    head.hybridize()
    head(features)
    theirs = net.collect_params("head_.*|classifier_.*")
    mine = head.collect_params()
    assert set(mine) == {f"mine_{name}" for name in theirs}
    for name, param in theirs.items():
        mine[f"mine_{name}"].set_data(param.data())
    expected = net.output(net.features(noise(2, 3, 40, 56)))
    assert relative_error(head(features).asnumpy(), expected.asnumpy()) < 1e-5


def test_its_widths_are_the_papers():
    head = GloReHead(19)
    head.initialize()
    assert head(noise(1, 24, 3, 5)).shape == (1, 19, 3, 5)
    shapes = {
        name.removeprefix(head.prefix): param.shape[:2]
        for name, param in head.collect_params(".*weight").items()
    }
    assert shapes == {
        "head_conv1__conv_weight": (512, 24),
        "head_extra1_conv-state__conv_weight": (128, 512),
        "head_extra1_conv-proj__conv_weight": (64, 512),
        "head_extra1_GCN-G__conv_weight": (64, 64),
        "head_extra1_GCN-GHW__conv_weight": (128, 128),
        "head_extra1_fc-2__conv_weight": (512, 128),
        "head_conv2__conv_weight": (512, 512),
        "classifier_weight": (19, 512),
    }


def test_as_many_units_as_are_asked_for_and_dropout_in_training_alone():
    x = noise(1, 3, 4, 4)
    for units in (0, 2):
        head = GloReHead(**SMALL, units=units, dropout=0.5)
        head.initialize()
        assert np.array_equal(head(x).asnumpy(), head(x).asnumpy())
        with autograd.record():
            assert not np.array_equal(head(x).asnumpy(), head(x).asnumpy())
        found = {name.split("_conv-proj")[0] for name in head.collect_params(".*conv-proj.*")}
        assert len(found) == units


def test_it_learns_behind_a_backbone_of_gluoncv():
    """A dilated ResNet-18's features of stride 8; every parameter of the head has a gradient."""
    model_zoo = pytest.importorskip("gluoncv.model_zoo")
    resnet = model_zoo.get_model("resnet18_v1b", dilated=True, pretrained=False)
    net = gluon.nn.HybridSequential()
    parts = ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4")
    net.add(*(getattr(resnet, part) for part in parts), GloReHead(**SMALL))
    initialize(net)
    x = noise(2, 3, 32, 48)
    for hybridized in (False, True):
        net.hybridize(hybridized)
        assert net(x).shape == (2, 5, 4, 6)
        open_gates(net)
        with autograd.record():
            loss = (net(x) * noise(2, 5, 4, 6)).sum()
        loss.backward()
        for param in net[-1].collect_params().values():
            assert param.grad_req == "null" or param.grad().abs().max().asscalar() > 0, param.name
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.05})
    labels = mx.nd.array(np.arange(48).reshape(2, 4, 6) % 5)
    loss_of = gluon.loss.SoftmaxCrossEntropyLoss(axis=1)
    losses = []
    for _ in range(4):
        with autograd.record():
            loss = loss_of(net(x), labels)
        loss.backward()
        trainer.step(2)
        losses.append(loss.mean().asscalar())
    assert losses[-1] < losses[0]


def test_it_takes_the_place_of_the_head_of_gluoncvs_fcn():
    model_zoo = pytest.importorskip("gluoncv.model_zoo")
    net = model_zoo.FCN(5, "resnet50", aux=False, pretrained_base=False, base_size=32, crop_size=32)
    net.head.block = GloReHead(**SMALL, in_channels=2048)
    initialize(net)
    (logits,) = net(noise(1, 3, 32, 32))
    assert logits.shape == (1, 5, 32, 32)
    assert net.collect_params(".*head_extra1_conv-proj.*")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 0}, "GloReHead: classes: a whole number from 1 to 1048576, given 0"),
        ({"nodes": "64"}, "GloReHead: nodes: a whole number .*, given '64'"),
        ({"channels": 2.5}, "GloReHead: channels: .*, given 2.5"),
        ({"units": -1}, "GloReHead: units: a whole number from 0 to .*, given -1"),
        ({"dropout": float("nan")}, "GloReHead: dropout: a number from 0 to 1, given nan"),
        ({"in_channels": None}, "GloReHead: in_channels: a whole number from 0 .*, given None"),
    ],
)
def test_what_is_out_of_range_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        GloReHead(**{**SMALL, **options})
