import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from benchmarks.networks import settle
from gluon_glore import InputError, get_model, save_weights, transfer_weights
from gluon_glore.weights import named_arrays
from tests.helpers.foreign import INPUT, Foreign, by_place, foreign


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


def test_plain_weights_of_any_block_start_the_one_with_a_unit(tmp_path):
    plain = foreign()
    save_weights(plain, tmp_path / "places.params")
    mx.nd.save(str(tmp_path / "names.params"), named_arrays(plain))
    x = mx.nd.random.normal(shape=INPUT)
    for source in (plain, tmp_path / "places.params", tmp_path / "names.params"):
        net = Foreign(unit=True)
        net.initialize()
        kept = transfer_weights(net, source, allow_missing=True)
        assert kept == list(net.layer1[0].glore.collect_params())
        taken = by_place(net)
        assert all(np.array_equal(taken[place], v) for place, v in by_place(plain).items())
        assert np.array_equal(net(x).asnumpy(), plain(x).asnumpy())  # the unit is the identity


def test_blocks_whose_names_count_on_start_each_other():
    plain, net = foreign(scoped=False), Foreign(scoped=False, unit=True)
    net.initialize()
    kept = transfer_weights(net, plain, allow_missing=True)
    assert kept == list(net.layer1[0].glore.collect_params())
    assert np.array_equal(net.fc.weight.data().asnumpy(), plain.fc.weight.data().asnumpy())


def test_fresh_parameters_keep_their_values_whatever_the_source_has():
    source, net = foreign(classes=3), foreign(classes=5)
    head = by_place(net)["fc.weight"]
    kept = transfer_weights(net, source, fresh=net.fc.collect_params())
    assert kept == [net.fc.weight.name, net.fc.bias.name]
    taken = by_place(net)
    assert np.array_equal(taken["fc.weight"], head)
    assert np.array_equal(taken["conv1.weight"], by_place(source)["conv1.weight"])
    with pytest.raises(InputError, match="no parameter is called 'output_weight'"):
        transfer_weights(net, source, fresh=["output_weight"])


def test_skip_classifier_is_refused_where_none_is_known():
    """The classifier of the source would be taken."""
    source, net = foreign(), foreign()
    head = by_place(net)["fc.weight"]
    with pytest.raises(InputError, match="a Foreign: skip_classifier is of this .*fresh=net.fc"):
        transfer_weights(net, source, skip_classifier=True)
    assert np.array_equal(by_place(net)["fc.weight"], head)


def test_units_without_values_are_told():
    with pytest.raises(InputError, match="layer1_0_glore_.* to keep its values but has none"):
        transfer_weights(Foreign(unit=True), foreign(), allow_missing=True)


def test_kernels_are_inflated_into_shapes_that_wait():
    flat, deep = nn.Conv2D(4, 3, in_channels=2), nn.Conv3D(4, (5, 3, 3))
    flat.initialize()
    transfer_weights(deep, flat)
    assert deep.weight.shape == (4, 2, 5, 3, 3)
    times = deep.weight.data().asnumpy()
    assert np.allclose(times.sum(axis=2), flat.weight.data().asnumpy(), atol=1e-6)
    assert np.array_equal(times[:, :, 0], times[:, :, 4])
