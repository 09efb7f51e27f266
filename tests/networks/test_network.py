import dataclasses

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from benchmarks.networks import settle
from gluon_glore import (
    InputError,
    Network,
    get_model,
    get_spec,
    load_weights,
    save_weights,
)
from gluon_glore.pytorch.names import their_name
from gluon_glore.weights import named_arrays
from symbols.network import spell_network
from tests.helpers.families import FAMILIES, SPACES, small
from tests.helpers.networks import execute, initialize, open_gates, relative_error, synthetic
from tests.helpers.places import GOLDEN


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


def test_the_authors_video_network_gives_its_golden_logits():
    """Five units, synthetic weights by the names of the PyTorch release, as block and symbol."""
    golden = np.load(GOLDEN / "kinetics_resnet50_3d_w-glore_2-3-golden.npz")
    net = get_model("resnet50_3d_glore_2_3_kinetics400")
    net.initialize(mx.init.Zero())
    for name, param in net.collect_params().items():
        theirs = their_name(name)
        # Their units' axes of size 1, one less or more than ours, change nothing in the rule.
        value = golden[f"aux:{theirs}"] if "running" in name else synthetic(theirs, param.shape)
        param.set_data(mx.nd.array(value))
    weights = named_arrays(net)
    net.hybridize(static_alloc=True, static_shape=True)
    x = mx.nd.array(np.random.RandomState(7).normal(size=(2, 3, 8, 224, 224)))
    for logits in (net(x).asnumpy(), execute(spell_network(net.spec, 400), weights, x)):
        difference = np.abs(logits - golden["logits"]).max()
        assert difference < 5e-3 * golden["logits"].std()


@pytest.mark.parametrize(
    "name",
    [
        "resnet18_glore_0_1",
        "resnet50_glore_2_3",
        "resnet50_nl_0_1",
        "se_resnet50",
        "dpn92",
        "resnet50_3d_glore_2_3_kinetics400",
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_hybridised_and_plain_agree_at_odd_sizes(name, batch):
    net = get_model(name, classes=5)
    initialize(net)
    frames = (net.spec.frames,) if net.spec.frames else ()
    x = mx.nd.random.normal(shape=(batch, net.spec.in_channels, *frames, 71, 53))
    settle(net, x)
    plain = net(x).asnumpy()
    net.hybridize(static_alloc=True, static_shape=True)
    assert relative_error(net(x).asnumpy(), plain) < 1e-4


def gradients(net, x):
    """All gradients as one vector, of a second backward: the first one has left its memory."""
    for _ in range(2):
        with autograd.record():
            loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(net(x), mx.nd.array([0, 2]))
        loss.backward()
    params = net.collect_params().values()
    return np.concatenate([p.grad().asnumpy().ravel() for p in params if p.grad_req != "null"])


@pytest.mark.parametrize("channels", [12, 16])
@pytest.mark.parametrize("ndim", SPACES)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "units",
    [(), ("glore", {}), ("glore", {"arrangement": "post"}), ("nonlocal", {"subsample": 2})],
    ids=["plain", "pre", "post", "nonlocal"],
)
def test_every_family_trains_and_evaluates_alike_in_every_dimension(
    family, ndim, channels, units, tmp_path
):
    """Plain, hybridised, hybridised with static memory, and as a symbol's executor."""
    mx.random.seed(ndim)
    x = mx.nd.random.normal(shape=(2, 2, *SPACES[ndim]))
    start = small(family, ndim, channels, units)
    initialize(start)
    open_gates(start)
    save_weights(start, tmp_path / "start.params")

    trained = []
    for options in (None, {}, {"static_alloc": True, "static_shape": True}):
        net = small(family, ndim, channels, units)
        load_weights(net, tmp_path / "start.params")
        if options is not None:
            net.hybridize(**options)
        trained.append(gradients(net, x))
    for other in trained[1:]:
        assert np.linalg.norm(other - trained[0]) < 1e-3 * np.linalg.norm(trained[0])

    settle(start, x)
    weights = named_arrays(start)
    plain = start(x[:1]).asnumpy()
    start.hybridize(static_alloc=True, static_shape=True)
    assert relative_error(start(x[:1]).asnumpy(), plain) < 1e-4
    symbol = spell_network(start.spec, 3)
    assert relative_error(execute(symbol, weights, x[:1]), plain) < 1e-4


def test_networks_refuse_other_channels_and_no_classes():
    with pytest.raises(InputError, match="classes must be at least 1, or 0 for .*, given -1"):
        get_model("tiny", classes=-1)
    with pytest.raises(InputError, match="classes must be at least 1, given 0"):
        get_model("fcn_small_cityscapes", classes=0)
    with pytest.raises(InputError, match="classes must be at least 1, given 0"):
        dataclasses.replace(get_model("tiny").spec, classes=0)
    net = get_model("tiny", classes=2)
    initialize(net)
    with pytest.raises(
        InputError, match=r"tiny takes \(batch, 1, 2 spatial axes\).*\(1, 3, 64, 64\)"
    ):
        net(mx.nd.zeros((1, 3, 64, 64)))
    with pytest.raises(InputError, match="input of 7x64 is too small"):
        net(mx.nd.zeros((1, 1, 7, 64)))


@pytest.mark.parametrize("arrangement", ["pre", "post"])
def test_pooling_units_work_on_the_one_axis_of_a_one_dimensional_network(arrangement):
    net = small("resnet", 1, 12, ("glore", {"arrangement": arrangement, "pool_stride": 2}))
    initialize(net)
    x = mx.nd.random.normal(shape=(2, 2, *SPACES[1]))
    settle(net, x)
    plain = net(x).asnumpy()
    symbol = spell_network(net.spec, 3)
    assert relative_error(execute(symbol, named_arrays(net), x), plain) < 1e-4


def test_a_shared_norm_is_read_by_shortcut_and_body_and_trains():
    """Against the unit spelled out: one norm, both convolutions read it."""
    net = small("resnet", 2, 4, None)
    stem = dataclasses.replace(net.spec.stem, norm_input=True)
    net = Network(dataclasses.replace(net.spec, stem=stem, shared_norm=True), classes=3)
    initialize(net)
    x = mx.nd.random.normal(shape=(4, 2, *SPACES[2]))
    settle(net, x)
    first, second = net.features[net.first_unit + 1], net.features[net.first_unit + 2]
    assert first.shortcut is not None and second.shortcut is None
    y = mx.nd.random.normal(shape=(2, 16, 6, 5))
    read = first.norm(y)
    assert np.array_equal(first(y).asnumpy(), (first.body(read) + first.shortcut(read)).asnumpy())
    y = first(y)
    assert np.array_equal(second(y).asnumpy(), (second.body(second.norm(y)) + y).asnumpy())
    with autograd.record():
        net(x).square().sum().backward()
    for name, param in net.collect_params().items():
        if param.grad_req != "null":
            assert param.grad().norm().asscalar() > 0, name


@pytest.mark.filterwarnings("error:evaluated untrained")
@pytest.mark.parametrize("hybridize", [False, True])
def test_an_untrained_network_with_pre_activation_units_says_so_once(hybridize):
    def evaluate(net):
        net.hybridize(hybridize)
        for _ in range(2):
            net(mx.nd.zeros((1, 1, 64, 64))).wait_to_read()

    net = Network(get_spec("tiny").with_units("glore", res3=(1,), res4=(1, 2), mid_channels=4))
    net.initialize()
    with pytest.warns(UserWarning) as told:
        evaluate(net)
    assert [str(warning.message) for warning in told] == [
        "evaluated untrained: the BatchNorm statistics of conv3_B01_extra and 2 more units are "
        "unset, and the outputs may overflow; train some steps, or load weights"
    ]
    evaluate(get_model("tiny_glore_0_1", pretrained=True))
    plain = get_model("tiny")
    plain.initialize()
    evaluate(plain)
