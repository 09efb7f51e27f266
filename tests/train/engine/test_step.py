import dataclasses

import mxnet as mx
import numpy as np
import pytest
from mxnet import gluon
from mxnet.gluon import HybridBlock

from gluon_glore import InputError
from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.networks import relative_error
from tests.helpers.steps import SMALL, X, Y, plain, start, weights
from train.config.mix import Mix
from train.config.optim import Optim
from train.config.sections import Config, Horovod
from train.engine.comm import LocalComm
from train.engine.precision import LossScale, make_loss_scale
from train.engine.step import Step, make_step


def run(optim, steps=3, **options):
    """Weights by name after a few steps, and each step's logits and losses."""
    net, trainer = start(optim, **options)
    take = make_step(Config(optim=optim), net, LocalComm())
    x, y = mx.nd.array(X), mx.nd.array(Y)
    told = [a.asnumpy() for n in range(steps) for a in take(net, trainer, x, y, n)]
    return weights(net), told


def worst(ours, theirs):
    """The largest relative difference of two runs, in any weight, logit or loss."""
    named = [relative_error(ours[0][name], theirs[0][name]) for name in theirs[0]]
    return max(named + [relative_error(a, b) for a, b in zip(ours[1], theirs[1])])


@pytest.mark.parametrize("parts", [2, 8])
def test_accumulated_parts_are_the_large_batch_but_for_batchnorm(parts):
    spec = dataclasses.replace(SMALL, dropout=0.0)

    def gradient(optim):
        net, trainer = start(optim, spec=spec, frozen=True)
        take = make_step(Config(optim=optim), net, LocalComm())
        for n in range(2):  # the second must not add to the first
            take(net, trainer, mx.nd.array(X), mx.nd.array(Y), n)
        params = [p for p in net.collect_params().values() if p.grad_req != "null"]
        return np.concatenate([p.grad().asnumpy().ravel() for p in params])

    whole, summed = gradient(plain()), gradient(plain(accumulate=parts))
    assert np.linalg.norm(whole) > 0.1
    assert np.linalg.norm(summed - whole) < 1e-6 * np.linalg.norm(whole)


def test_parts_follow_each_other_in_the_order_of_the_batch():
    spec = dataclasses.replace(SMALL, dropout=0.0)
    (_, whole), (_, parts) = (run(plain(accumulate=n), 1, spec=spec, frozen=True) for n in (1, 4))
    for a, b in zip(parts, whole):
        assert a.shape == b.shape
        assert relative_error(a, b) < 1e-6


@pytest.mark.parametrize("units", [1, 2, 99])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_recomputation_changes_no_weight_statistic_or_mask(units, accumulate):
    kept = run(plain(accumulate=accumulate))
    again = run(plain(accumulate=accumulate, recompute=units))
    assert worst(again, kept) < 1e-6


@needs_bfloat16
@pytest.mark.parametrize(
    "options",
    [{}, {"accumulate": 2}, {"recompute": 1}, {"recompute": 2, "accumulate": 2}],
    ids=str,
)
def test_bfloat16_takes_the_steps_of_float32(options):
    """But for roundings, which rectifiers behind each other make larger."""
    before = weights(start(plain())[0])
    runs = run(plain(**options)), run(plain(precision="bfloat16", **options))
    for exact, low in zip(*(told for _, told in runs)):
        assert 1e-5 < relative_error(low, exact) < 0.05
    for name in before:
        if "running" in name:
            assert relative_error(runs[1][0][name], runs[0][0][name]) < 0.05, name
    trained = [name for name in before if "running" not in name]
    exact, low = (
        np.concatenate([(now[name] - before[name]).ravel() for name in trained]) for now, _ in runs
    )
    assert np.linalg.norm(low - exact) < 0.2 * np.linalg.norm(exact)


def test_dropout_is_a_function_of_seed_step_and_rank():
    def losses(first, rank):
        net, trainer = start(plain(lr_mult={".": 0.0}))
        comm = LocalComm()
        comm.rank = rank
        take = make_step(Config(optim=plain(), seed=3), net, comm)
        mx.random.seed(first + 100)  # whatever was drawn before
        x, y = mx.nd.array(X), mx.nd.array(Y)
        return [take(net, trainer, x, y, n)[1].asnumpy().tolist() for n in range(first, 4)]

    whole = losses(0, rank=0)
    assert losses(2, rank=0) == whole[2:]
    assert losses(0, rank=1) != whole
    assert whole[0] != whole[1]


def test_a_loss_scale_changes_nothing_but_the_range_of_the_gradients():
    assert worst(run(plain(loss_scale=1024.0)), run(plain())) < 1e-6


def test_gradients_that_overflow_skip_the_step_and_halve_the_scale():
    spec = dataclasses.replace(SMALL, dropout=0.0)
    net, trainer = start(plain(), spec=spec)
    trained = [name for name, p in net.collect_params().items() if p.grad_req != "null"]
    x, y = mx.nd.array(X), mx.nd.array(Y)
    scale = LossScale(2.0**126)
    take, before, skipped = Step(scale=scale), weights(net), 0
    take(net, trainer, x, y, 0)
    while scale.scale == 2.0 ** (125 - skipped):
        now = weights(net)
        assert all(np.array_equal(before[name], now[name]) for name in trained)
        skipped += 1
        take(net, trainer, x, y, 0)
    now = weights(net)
    assert skipped > 2
    expected, _ = run(plain(), 1, spec=spec)
    for name in trained:  # the step that was taken is the one without a scale
        assert np.allclose(now[name], expected[name], rtol=1e-5, atol=1e-9), name


def test_the_scale_doubles_after_so_many_good_steps():
    scale = LossScale(8.0, double_after=2)
    good, bad = [mx.nd.ones(3), mx.nd.zeros(2)], [mx.nd.ones(3), mx.nd.array([1, np.inf])]
    seen = []
    for gradients in (good, good, good, bad, good, good, [mx.nd.array([np.nan])]):
        seen.append((scale.accept(gradients), scale.scale))
    assert seen == [(1, 8), (1, 16), (1, 16), (0, 8), (1, 8), (1, 16), (0, 8)]


@pytest.mark.parametrize(
    ("optim", "horovod", "first"),
    [
        ({}, {}, None),
        ({"precision": "bfloat16"}, {}, None),  # its range is that of float32
        ({"precision": "float16"}, {}, 65536),
        ({}, {"compression": "fp16"}, 1),
        ({"precision": "float16", "loss_scale": 8.0}, {"compression": "fp16"}, 8),
    ],
)
def test_gradients_are_scaled_where_16_bits_could_overflow(optim, horovod, first):
    scale = make_loss_scale(Optim(**optim), Horovod(**horovod))
    assert (scale and scale.scale) == first


class Trained(HybridBlock):
    """A graph of a network's own layers: its logits, and twice as much beside them."""

    def __init__(self, net):
        super().__init__(prefix="")
        self.net = net

    def hybrid_forward(self, F, x):
        logits = self.net.output(self.net.features(x))
        return logits, 2 * logits


def second(outputs, y):
    """The loss of the second output."""
    return gluon.loss.SoftmaxCrossEntropyLoss()(outputs[1], y)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_graph_trains_the_network_by_a_loss_of_all_that_it_returns(accumulate):
    optim = plain(accumulate=accumulate)
    net, trainer = start(optim)
    x, y = mx.nd.array(X), mx.nd.array(Y)
    with mx.autograd.train_mode():
        mx.random.seed(int(np.random.SeedSequence([0, 0, 0]).generate_state(1)[0]))
        first = net(x[: 8 // accumulate]).asnumpy()  # the masks are the step's
    take = make_step(Config(optim=optim), net, LocalComm(), loss=second, graph=Trained(net))
    before = weights(net)
    logits, losses = take(net, trainer, x, y, 0)
    assert (logits.shape, losses.shape) == ((8, 5), (8,))
    assert relative_error(logits.asnumpy()[: len(first)], first) < 1e-5
    expected = gluon.loss.SoftmaxCrossEntropyLoss()(2 * logits, y).asnumpy()
    assert relative_error(losses.asnumpy(), expected) < 1e-6
    moved = [name for name, now in weights(net).items() if not np.array_equal(before[name], now)]
    assert {"classifier_weight", "conv1__conv_weight"} <= set(moved)


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("recompute", {"graph": object()}),
        ("recompute", {"loss": second}),
        ("label_smoothing", {"loss": second}),
    ],
)
def test_what_another_loss_or_graph_has_not_is_refused(key, given):
    net, _ = start(plain())
    optim = dataclasses.replace(plain(), **{key: 1})
    with pytest.raises(InputError, match=f"optim.{key} is for classification networks, use 0"):
        make_step(Config(optim=optim), net, LocalComm(), **given)


def test_another_loss_takes_no_mixed_pictures_and_no_other_loss():
    net, _ = start(plain())
    for config, message in (
        (Config(optim=plain(loss="bce")), "optim.loss is for .*, use cross_entropy"),
        (Config(optim=plain(), mix=Mix(mixup=1.0)), "mix.mixup and mix.cutmix are for classif"),
    ):
        with pytest.raises(InputError, match=message):
            make_step(config, net, LocalComm(), loss=second)
