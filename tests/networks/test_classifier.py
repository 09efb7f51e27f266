import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from gluon_glore import InputError, Network, as_fcn, get_model, get_spec, save_weights
from gluon_glore.weights import named_arrays
from tests.helpers.networks import assert_same, initialize

X = np.random.RandomState(0).normal(size=(2, 1, 64, 64)).astype("float32")


def network():
    net = get_model("tiny_glore_0_1", classes=2)
    initialize(net)
    return net


@pytest.mark.parametrize("when", ["before", "after", "told its features", "hybridized"])
def test_another_classifier_has_the_names_of_files(tmp_path, when):
    net = network()
    if when == "hybridized":
        net.hybridize()
        net(mx.nd.array(X))
    dense = nn.Dense(5, in_units=96) if when == "told its features" else nn.Dense(5)
    if when != "after":
        dense.initialize(mx.init.Xavier())
    net.output = dense
    if when == "after":
        net.output.initialize(mx.init.Xavier())
    assert net.output is dense and net.classes == 5
    save_weights(net, tmp_path / "w.params")  # before it has seen an input
    y = net(mx.nd.array(X)).asnumpy()
    assert y.shape == (2, 5)
    assert list(named_arrays(net))[-2:] == ["arg:classifier_weight", "arg:classifier_bias"]
    assert {"classifier_weight", "classifier_bias"} <= set(net(mx.sym.var("data")).list_arguments())
    again = get_model("tiny_glore_0_1", classes=5, pretrained=tmp_path / "w.params")
    assert_same(again, net)
    assert np.array_equal(again(mx.nd.array(X)).asnumpy(), y)


def test_a_network_of_pooled_features_takes_a_classifier():
    net = get_model("tiny_glore_0_1", classes=0)
    initialize(net)
    pooled = net(mx.nd.array(X)).asnumpy()
    assert net.classes == 0 and net.output is None and pooled.shape == (2, 96)
    assert "classifier_weight" not in net.collect_params()
    net.hybridize()
    net(mx.nd.array(X))
    net.output = nn.Dense(5)
    net.output.initialize(mx.init.Xavier())
    assert net.classes == 5 and net.output.weight.name == "classifier_weight"
    weight, bias = (param.data().asnumpy() for param in (net.output.weight, net.output.bias))
    expected = pooled @ weight.T + bias
    assert np.allclose(net(mx.nd.array(X)).asnumpy(), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match=r"nn.Dense\(classes\) of 96 features; .*\(5, 95\)"):
        get_model("tiny", classes=0).output = nn.Dense(5, in_units=95)


def test_it_learns():
    net = network()
    net.output = nn.Dense(5)
    net.output.initialize()
    before = net.output.weight.data().asnumpy()
    trainer = mx.gluon.Trainer(net.collect_params(), "sgd", {"learning_rate": 0.1})
    with mx.autograd.record():
        loss = mx.gluon.loss.SoftmaxCrossEntropyLoss()(net(mx.nd.array(X)), mx.nd.array([1, 4]))
    loss.backward()
    trainer.step(2)
    assert not np.array_equal(net.output.weight.data().asnumpy(), before)


def test_pixels_have_a_classifier_of_convolutions():
    net = get_model("fcn_small_cityscapes")
    net.output = nn.Conv2D(5, 1)
    assert net.classes == 5 and net.output.weight.shape == (5, 128, 1, 1)
    assert list(net.output.collect_params()) == ["classifier_weight", "classifier_bias"]
    with pytest.raises(InputError, match=r"\(classes, 1\) of 128 features; .*\(5, 0, 3, 3"):
        net.output = nn.Conv2D(5, 3)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.HybridSequential, r"nn.Dense\(classes\), given HybridSequential: .* net.features"),
        (lambda: nn.Conv2D(5, 1), "given Conv2D"),
        (lambda: nn.Dense(5, use_bias=False), "given one with no bias"),
        (lambda: nn.Dense(5, activation="relu"), "given one with an activation"),
        (lambda: nn.Dense(5, in_units=95), r"of 96 features; given one with weights of \(5, 95\)"),
    ],
)
def test_other_layers_are_refused_and_the_network_stays(layer, message):
    net = network()
    before = net.output
    with pytest.raises(InputError, match=message):
        net.output = layer()
    assert net.output is before and net.classes == 2


def test_dropout_before_it_is_saved_and_loaded(tmp_path):
    net = network()
    net.features.add(nn.Dropout(0.5))
    save_weights(net, tmp_path / "w.params")
    assert_same(get_model("tiny_glore_0_1", pretrained=tmp_path / "w.params"), net)


def test_an_auxiliary_head_keeps_its_classes():
    net = Network(as_fcn(get_spec("resnet18"), channels=8, auxiliary=4))
    with pytest.raises(InputError, match="auxiliary head .* make the network with classes=5"):
        net.output = nn.Conv2D(5, 1)


@pytest.mark.parametrize(
    ("own", "given", "remedy"),
    [
        ("float16", "float32", r'net.cast\("float32"\)'),
        ("float32", "uint8", r'give x.astype\("float32"\)'),
    ],
)
def test_numbers_of_another_type_are_refused(own, given, remedy):
    net = network()
    net.cast(own)
    with pytest.raises(InputError, match=f"computes in {own}, given numbers of {given}: {remedy}"):
        net(mx.nd.array(X).astype(given))
