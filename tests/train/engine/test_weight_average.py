import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, get_model
from gluon_glore.layers.basic import freeze_norm
from gluon_glore.weights import load_arrays
from gluon_glore.weights.manifest import Manifest
from tests.helpers.exports import TINY
from tests.helpers.runs import same
from train.engine.checkpoint import restore_newest, save_checkpoint
from train.engine.comm import LocalComm
from train.engine.learner import Learner
from train.engine.weight_average import WeightAverage, decay_of


def make(name="tiny_glore_0_1", decay=0.8, seed=0, frozen=False):
    mx.random.seed(seed)
    net = get_model(name, classes=2)
    average = WeightAverage(net, decay)
    net.initialize()
    if frozen:
        freeze_norm(net)
    average.start()
    net.hybridize(static_alloc=True, static_shape=True)
    return net, average, LocalComm().trainer(net.collect_params(), mx.optimizer.SGD(momentum=0.9))


def step(net, trainer, seed=0, size=(1, 64, 64)):
    x = mx.nd.array(np.random.RandomState(seed).normal(size=(2, *size)))
    with mx.autograd.record():
        loss = (net(x) ** 2).sum()
    loss.backward()
    trainer.step(200)


def values(net):
    mx.nd.waitall()
    return {name: param.data().asnumpy() for name, param in net.collect_params().items()}


def averages(average):
    return {name: array.asnumpy() for name, array in average.arrays.items()}


def test_the_decay_warms_up_as_tensorflows():
    assert decay_of(0.999, 1) == 2 / 11
    assert decay_of(0.999, 8) == 0.5
    assert decay_of(0.999, 10**6) == 0.999
    assert decay_of(0.1, 1) == 0.1


def test_it_is_the_closed_form_statistics_too():
    """e_n = product of d_i times w_0, plus the sum of (1 - d_i) w_i times all later d."""
    net, average, trainer = make()
    seen = [values(net)]
    for number in range(1, 51):
        step(net, trainer, number)
        average.update()
        seen.append(values(net))
    decays = np.array([min(0.8, (1 + t) / (10 + t)) for t in range(1, 51)])
    assert decays[0] < 0.8 == decays[-1]
    shares = np.append(1.0, 1 - decays) * np.append(np.cumprod(decays[::-1])[::-1], 1)
    assert np.isclose(shares.sum(), 1)
    for name, found in averages(average).items():
        expected = sum(share * w[name].astype(np.float64) for share, w in zip(shares, seen))
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-6), name
    for name in ("conv1__bn_running_mean", "classifier_bias"):
        assert not np.allclose(averages(average)[name], seen[-1][name], rtol=1e-3), name


def test_what_training_leaves_alone_stays_to_the_bit():
    net, average, trainer = make(frozen=True)
    first = net.collect_params()["conv1__conv_weight"]
    first.lr_mult = 0
    before = values(net)
    for number in range(20):
        step(net, trainer, number)
        average.update()
    after = averages(average)
    for name, array in before.items():
        left = "running_" in name or name == first.name
        assert np.array_equal(after[name], array) == left, name


@pytest.mark.parametrize(
    ("name", "size"),
    [("tiny_glore_0_1", (1, 64, 64)), ("resnet50_3d_kinetics400", (3, 8, 32, 32))],
)
def test_its_network_is_of_its_own_and_can_be_had_again_after_an_inference(name, size):
    net, average, trainer = make(name)
    x = mx.nd.array(np.random.RandomState(9).normal(size=(1, *size)))
    for number in range(2):
        step(net, trainer, number, size)
        average.update()
        before = values(net)
        tested = average.network()
        assert same(values(tested), averages(average))
        logits = tested(x).asnumpy()
        for other in tested.collect_params().values():
            assert other.grad_req == "null"
        assert same(values(net), before)
    fresh = get_model(name, classes=2)
    fresh.initialize()
    for key, param in fresh.collect_params().items():
        param.set_data(average.arrays[key])
    assert np.array_equal(fresh(x).asnumpy(), logits)
    assert not np.allclose(net(x).asnumpy(), logits, rtol=1e-3)


def test_statistics_are_averaged_over_the_ranks_where_the_networks_are():
    class TwoRanks(LocalComm):
        """Two ranks, the other's statistics being three times this one's."""

        size = 2

        def sum(self, values, name="sum"):
            return 4 * np.asarray(values, np.float64)

    net, average, trainer = make()
    step(net, trainer)
    average.update()
    weights, before = values(net), averages(average)
    Learner(net, trainer, TwoRanks(), mx.cpu(), average).share_statistics()
    after = averages(average)
    for name in before:
        factor = 2 if "running_" in name else 1
        assert np.allclose(after[name], factor * before[name], rtol=1e-6), name
        assert np.allclose(values(net)[name], factor * weights[name], rtol=1e-6), name


def save(run, net, trainer, average, epoch=1):
    manifest = Manifest("tiny_glore_0_1", ("a", "b"), TINY, epoch)
    save_checkpoint(run, net, trainer, manifest, average=average)
    return run / "checkpoints" / f"epoch-{epoch:04d}"


def test_a_checkpoint_has_the_average_as_its_weights_and_goes_on_bit_equal(tmp_path):
    net, average, trainer = make()
    for number in range(3):
        step(net, trainer, number)
        average.update()
    folder = save(tmp_path, net, trainer, average)
    files = [load_arrays(folder / f"{name}.params") for name in ("weights", "training")]
    weights, training = ({k: v.asnumpy() for k, v in arrays.items()} for arrays in files)
    assert same(weights, averages(average)) and same(training, values(net))

    again, other, its_trainer = make(seed=1)
    assert restore_newest(tmp_path, again, its_trainer, average=other) == (1, 0)
    for number in range(3, 6):
        step(net, trainer, number)
        step(again, its_trainer, number)
        average.update()
        other.update()
    assert same(values(again), values(net)) and same(averages(other), averages(average))
    assert average.count == other.count == 6


def test_it_can_begin_and_end_at_any_checkpoint(tmp_path):
    net, average, trainer = make()
    step(net, trainer)
    save(tmp_path, net, trainer, None)
    again, other, its_trainer = make(seed=1)
    restore_newest(tmp_path, again, its_trainer, average=other)
    assert same(averages(other), values(net)) and other.count == 0
    average.update()
    save(tmp_path, net, trainer, average, epoch=2)
    plain, _, its_trainer = make(seed=1)
    restore_newest(tmp_path, plain, its_trainer)
    assert same(values(plain), values(net))


@pytest.mark.parametrize("harm", ["truncate", "remove"])
def test_damaged_weights_of_training_send_back_to_the_checkpoint_before(tmp_path, harm, capsys):
    net, average, trainer = make()
    for epoch in (1, 2):
        folder = save(tmp_path, net, trainer, average, epoch)
    file = folder / "training.params"
    data = file.read_bytes()
    file.unlink()
    if harm == "truncate":
        file.write_bytes(data[:-100])
    again, other, its_trainer = make(seed=1)
    assert restore_newest(tmp_path, again, its_trainer, average=other) == (1, 0)
    assert "epoch-0002/training.params" in capsys.readouterr().err


def test_averages_of_another_network_are_refused(tmp_path):
    net, average, trainer = make()
    folder = save(tmp_path, net, trainer, average)
    _, other, _ = make("tiny")
    with pytest.raises(InputError, match="weights of another network"):
        other.restore(folder / "weights.params", 0)
