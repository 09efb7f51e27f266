import mxnet as mx
import numpy as np
import pytest
from conftest import GOLDEN, relative_error, settle, small_size, synthetic
from mxnet import autograd
from test_glore import open_gates

from gluon_glore import InputError, NetSpec, Network, Stage, Stem, get_model, list_models


@pytest.mark.parametrize("name", list_models())
def test_every_parameter_of_every_network_gets_a_gradient(name):
    net = get_model(name, classes=7)
    net.initialize()
    open_gates(net)
    net.hybridize()
    x = mx.nd.random.normal(shape=(2, net.spec.in_channels, *small_size(net.spec)))
    with autograd.record():
        loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(net(x), mx.nd.array([1, 3]))
    loss.backward()
    silent = [
        param.name
        for param in net.collect_params().values()
        if param.grad_req != "null" and not np.abs(param.grad().asnumpy()).max() > 0
    ]
    assert not silent


def test_released_layout_gives_the_golden_imagenet_logits():
    """`resnet50_w-glore_2-3` with synthetic weights, logits from MXNet's plain operators."""
    golden = np.load(GOLDEN / "resnet50_w-glore_2-3-golden.npz")
    net = get_model("resnet50_glore_2_3")
    net.initialize(mx.init.Zero())
    for name, param in net.collect_params().items():
        if "running" in name:
            value = golden[f"aux:{name.replace('running', 'moving')}"]
        else:
            # The released graph convolutions are one-dimensional.
            shape = param.shape[:3] if "_GCN-" in name and name.endswith("weight") else param.shape
            value = synthetic(name, shape)
        param.set_data(mx.nd.array(value.reshape(param.shape)))
    net.hybridize(static_alloc=True, static_shape=True)
    x = np.random.RandomState(7).normal(size=(2, 3, 224, 224)).astype("float32")
    difference = np.abs(net(mx.nd.array(x)).asnumpy() - golden["logits"]).max()
    assert difference < 5e-3 * golden["logits"].std()


@pytest.mark.parametrize(
    "name", ["resnet18_glore_0_1", "resnet50_glore_2_3", "resnet50_nl_0_1", "se_resnet50", "dpn98"]
)
@pytest.mark.parametrize("batch", [1, 3])
def test_hybridised_and_plain_agree_at_odd_sizes(name, batch):
    net = get_model(name, classes=5)
    net.initialize()
    x = mx.nd.random.normal(shape=(batch, net.spec.in_channels, 71, 53))
    settle(net, x)
    plain = net(x).asnumpy()
    net.hybridize(static_alloc=True, static_shape=True)
    assert relative_error(net(x).asnumpy(), plain) < 1e-4


@pytest.mark.parametrize(("ndim", "space"), [(1, (33,)), (3, (4, 17, 15))])
def test_one_and_three_dimensional_networks_train_and_evaluate(ndim, space):
    spec = NetSpec(
        stages=(Stage(1, 16, 1), Stage(2, 32, 2)),
        stem=Stem(channels=8, kernel=3, stride=1),
        in_channels=2,
        input_size=space,
        name="small",
    ).with_units("glore", res3=(1,))
    net = Network(spec, classes=3)
    net.initialize()
    # MXNet's CPU build does not train every hybridised 3-D network (README, limits).
    net.hybridize(ndim == 1)
    x = mx.nd.random.normal(shape=(2, 2, *space))
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    for _ in range(2):
        with autograd.record():
            loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(net(x), mx.nd.array([0, 2]))
        loss.backward()
        trainer.step(2)
        assert np.isfinite(net(x).asnumpy()).all()
    net.hybridize(False)
    plain = net(x).asnumpy()
    net.hybridize()
    assert relative_error(net(x).asnumpy(), plain) < 1e-4


def test_networks_refuse_other_channels_and_no_classes():
    with pytest.raises(InputError, match="classes must be at least 1, given 0"):
        get_model("tiny", classes=0)
    net = get_model("tiny", classes=2)
    net.initialize()
    with pytest.raises(
        InputError, match=r"tiny takes \(batch, 1, 2 spatial axes\).*\(1, 3, 64, 64\)"
    ):
        net(mx.nd.zeros((1, 3, 64, 64)))
    with pytest.raises(InputError, match="input of 7x64 is too small"):
        net(mx.nd.zeros((1, 1, 7, 64)))
