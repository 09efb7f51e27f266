import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from benchmarks.networks import settle
from gluon_glore import InputError, get_model, save_weights, transfer_weights


def values(block):
    return {name: param.data().asnumpy() for name, param in block.collect_params().items()}


def segmenter():
    """A backbone up to its tail, with a head of its own."""
    features = get_model("tiny_glore_0_1").features
    net = nn.HybridSequential(prefix="")
    for block in list(features)[:-1]:
        net.add(block)
    net.add(nn.Conv2D(5, 1, in_channels=96, prefix="head_"))
    net.initialize()
    return net


def test_a_backbone_with_another_head_takes_the_weights_of_the_zoo_by_name():
    net = segmenter()
    head = values(net)["head_weight"]
    kept = transfer_weights(net, "tiny_glore_0_1", allow_missing=True, skip_classifier=True)
    assert kept == ["head_weight", "head_bias"]
    taken, zoo = values(net), values(get_model("tiny_glore_0_1", pretrained=True))
    assert np.array_equal(taken.pop("head_weight"), head)
    assert len(taken) == len(zoo) - 2 + 1  # no classifier, one bias of the head
    for name in zoo.keys() - {"classifier_weight", "classifier_bias"}:
        assert np.array_equal(taken[name], zoo[name]), name
    assert net(mx.nd.zeros((1, 1, 96, 64))).shape == (1, 5, 12, 8)


def test_features_are_what_the_classifier_saw():
    whole = get_model("tiny_glore_0_1", pretrained=True)
    features = get_model("tiny_glore_0_1").features
    assert transfer_weights(features, "tiny_glore_0_1", skip_classifier=True) == []
    x = mx.nd.random.normal(shape=(2, 1, 64, 64))
    assert np.array_equal(features(x).asnumpy(), whole.features(x).asnumpy())


def test_a_plain_network_starts_the_one_with_units(tmp_path):
    plain = get_model("tiny", classes=2)
    plain.initialize()
    settle(plain, mx.nd.random.normal(shape=(8, 1, 64, 64)))
    save_weights(plain, tmp_path / "plain.params")
    plain.save_parameters(str(tmp_path / "places.params"))
    files = [tmp_path / "plain.params", str(tmp_path / "plain.params"), tmp_path / "places.params"]
    for source in (plain, *files):
        net = get_model("tiny_glore_0_1", classes=7)
        net.initialize()
        kept = transfer_weights(net, source, allow_missing=True, skip_classifier=True)
        assert {n for n in kept if "_extra_" not in n} == {"classifier_weight", "classifier_bias"}
        assert np.array_equal(values(net)["tail__bn_beta"], values(plain)["tail__bn_beta"])


def test_what_does_not_fit_is_named_and_nothing_is_taken():
    net = get_model("tiny", classes=2)
    net.initialize()
    before = values(net)
    with pytest.raises(InputError, match="_extra_conv-proj__bn_beta is not in the network|extra"):
        transfer_weights(net, "tiny_glore_0_1")
    assert all(np.array_equal(before[name], value) for name, value in values(net).items())
    with pytest.raises(InputError, match="no such parameter file"):
        transfer_weights(net, "resnet51")
