import dataclasses

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import Network, get_model, get_spec
from train.engine.comm import LocalComm
from train.engine.norm_statistics import average_statistics, measure_statistics
from train.engine.recompute import Segments


@pytest.fixture
def net():
    mx.random.seed(0)
    net = get_model("tiny_glore_0_1", classes=3)
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def batches(count, seed=0):
    rng = np.random.default_rng(seed)
    for i in range(count):
        yield rng.normal(i, 1 + i, (4, 1, 64, 64)).astype("float32"), np.zeros(4, "float32")


def statistics(net):
    return {k: p.data().asnumpy() for k, p in net.collect_params(".*running_.*").items()}


def test_they_are_those_of_all_samples_together(net):
    measure_statistics(net, batches(3), LocalComm(), mx.cpu())
    every = mx.nd.array(np.concatenate([x for x, _ in batches(3)]))
    stem = net.features[0](every).asnumpy()
    found = statistics(net)
    assert np.allclose(found["conv1__bn_running_mean"], stem.mean(axis=(0, 2, 3)), rtol=1e-4)
    assert np.allclose(found["conv1__bn_running_var"], stem.var(axis=(0, 2, 3)), rtol=1e-4)


def test_batchnorms_of_another_momentum_have_them_too(net):
    measure_statistics(net, batches(2), LocalComm(), mx.cpu())
    expected = statistics(net)
    slow = Network(dataclasses.replace(net.spec, momentum=0.75), classes=3)
    slow.initialize()
    for name, param in slow.collect_params().items():
        param.set_data(net.collect_params()[name].data())
    slow.hybridize(static_alloc=True, static_shape=True)
    measure_statistics(slow, batches(2), LocalComm(), mx.cpu())
    assert all(np.allclose(expected[k], v, rtol=1e-4) for k, v in statistics(slow).items())


def test_of_one_batch_an_evaluation_is_what_training_sees(net):
    (x, _), *_ = batches(1)
    measure_statistics(net, batches(1), LocalComm(), mx.cpu())
    with mx.autograd.train_mode():
        trained = net(mx.nd.array(x)).asnumpy()
    assert np.allclose(net(mx.nd.array(x)).asnumpy(), trained, rtol=1e-3, atol=1e-3)


def test_neither_weights_nor_what_was_there_before_counts(net):
    weights = {k: p.data().asnumpy() for k, p in net.collect_params(".*(weight|gamma)").items()}
    measure_statistics(net, batches(2), LocalComm(), mx.cpu())
    first = statistics(net)
    measure_statistics(net, batches(2, seed=5), LocalComm(), mx.cpu())
    assert any(not np.allclose(first[k], v, rtol=1e-4) for k, v in statistics(net).items())
    measure_statistics(net, batches(2), LocalComm(), mx.cpu())
    assert all(np.allclose(first[k], v, rtol=1e-5) for k, v in statistics(net).items())
    for name, weight in weights.items():
        assert (net.collect_params()[name].data().asnumpy() == weight).all(), name


def test_ranks_that_share_the_batches_have_those_of_all(net):
    class Recording(LocalComm):
        def sum(self, values, name="sum"):
            self.given = np.asarray(values, np.float64)
            return self.given

    class WithTheOther(LocalComm):
        def __init__(self, other):
            self.other = other

        def sum(self, values, name="sum"):
            return np.asarray(values, np.float64) + self.other

    measure_statistics(net, batches(2), LocalComm(), mx.cpu())
    whole = statistics(net)
    first, second = batches(2)
    other = Recording()
    measure_statistics(net, [second], other, mx.cpu())
    measure_statistics(net, [first], WithTheOther(other.given), mx.cpu())
    for name, values in statistics(net).items():
        assert np.allclose(values, whole[name], rtol=1e-5, atol=1e-7), name


def test_batches_in_parts_are_as_many_small_batches(net):
    measure_statistics(net, batches(2), LocalComm(), mx.cpu(), parts=2)
    found = statistics(net)
    halves = [(half, None) for x, _ in batches(2) for half in np.split(x, 2)]
    measure_statistics(net, halves, LocalComm(), mx.cpu())
    assert all(np.allclose(found[k], v, rtol=1e-5) for k, v in statistics(net).items())
    measure_statistics(net, batches(2), LocalComm(), mx.cpu())
    assert any(not np.allclose(found[k], v, rtol=1e-3) for k, v in statistics(net).items())


def test_a_network_in_segments_has_the_same(net):
    class Counted(Segments):
        calls = 0

        def backward(self, *arguments):
            self.calls += 1
            return super().backward(*arguments)

    measure_statistics(net, batches(2), LocalComm(), mx.cpu())
    whole, segments = statistics(net), Counted(net, 1)
    measure_statistics(net, batches(2), LocalComm(), mx.cpu(), segments=segments)
    assert segments.calls == 2
    for name, values in statistics(net).items():
        assert np.allclose(values, whole[name], rtol=1e-4, atol=1e-6), name


def test_what_only_training_runs_keeps_its_own():
    spec = get_spec("fcn_small_cityscapes")
    spec = dataclasses.replace(spec, head=dataclasses.replace(spec.head, auxiliary=4))
    net = Network(spec)
    net.initialize()
    before = statistics(net)
    x = np.random.default_rng(0).normal(size=(2, 3, 32, 40)).astype("float32")
    measure_statistics(net, [(x, None)], LocalComm(), mx.cpu())
    for name, values in statistics(net).items():
        assert (values == before[name]).all() == name.startswith("auxiliary"), name


def test_networks_of_videos_have_theirs_too():
    net = get_model("resnet50_3d_kinetics400", classes=2)
    net.initialize()
    x = np.random.default_rng(0).normal(size=(1, 3, 8, 32, 32)).astype("float32")
    measure_statistics(net, [(x, None)], LocalComm(), mx.cpu())
    stem = net.features[0](mx.nd.array(x)).asnumpy()
    found = statistics(net)["conv1__bn_running_var"]
    assert np.allclose(found, stem.var(axis=(0, 2, 3)), rtol=1e-3)  # of pictures (T·B, C, H, W)


def test_running_statistics_are_averaged_over_the_ranks(net):
    class TwoRanks(LocalComm):
        """Two ranks, the other's statistics being three times this one's."""

        size = 2

        def sum(self, values, name="sum"):
            return 4 * np.asarray(values, np.float64)

    measure_statistics(net, batches(2), LocalComm(), mx.cpu())
    before = {k: v.data().asnumpy() for k, v in net.collect_params().items()}
    average_statistics(net, TwoRanks())
    for name, param in net.collect_params().items():
        factor = 2 if "running_" in name else 1
        assert np.allclose(param.data().asnumpy(), factor * before[name], rtol=1e-6), name
