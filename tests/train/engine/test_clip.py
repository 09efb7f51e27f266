"""The largest norm of a step's gradient, against numpy in float64."""

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError
from tests.helpers.steps import SMALL, X, Y, plain, start, weights
from train.config.optim import Optim
from train.config.sections import Config
from train.engine.clip import clip_gradients
from train.engine.comm import LocalComm
from train.engine.learner import Learner
from train.engine.loop import train_one_epoch
from train.engine.precision import LossScale
from train.engine.step import Step, make_step

RNG = np.random.RandomState(0)
ARRAYS = [RNG.normal(size=shape).astype("float32") for shape in [(16, 8, 3, 3), (7,), (5, 4)] * 90]


def norm(arrays):
    return np.sqrt(sum((array.astype("float64") ** 2).sum() for array in arrays))


@pytest.mark.parametrize("share", [1.0, 0.125])
def test_long_gradients_get_the_norm_asked_for_and_short_ones_stay(share):
    """270 arrays: MXNet's operators of several overrun their memory beyond 200."""
    whole = norm(ARRAYS) * share
    for largest in (whole / 3, whole * 3):
        gradients = [mx.nd.array(array) for array in ARRAYS]
        clip_gradients(gradients, largest, share)
        factor = min(1, largest / (whole + 1e-6))
        for gradient, array in zip(gradients, ARRAYS):
            given = gradient.asnumpy()
            assert np.abs(given - factor * array).max() < 1e-5
            assert factor < 1 or np.array_equal(given, array)
        assert factor == 1 or norm([g.asnumpy() for g in gradients]) * share == pytest.approx(
            largest, rel=1e-5
        )


def moved(take, spec=SMALL):
    """What a step of SGD without momentum or decay takes off the trained weights, by name."""
    optim = Optim(batch_size=8, lr=0.02, momentum=0.0, weight_decay=0.0)
    net, trainer = start(optim, spec=spec, frozen=True)
    before = weights(net)
    take = take(net)
    take(net, trainer, mx.nd.array(X), mx.nd.array(Y), 0)
    return {k: before[k] - v for k, v in weights(net).items() if "running" not in k}


@pytest.mark.parametrize(
    "options", [{}, {"accumulate": 2}, {"loss_scale": 1024.0}, {"recompute": 2}], ids=str
)
def test_a_step_is_as_long_as_the_largest_norm_of_the_mean_gradient(options):
    def take(**keys):
        optim = plain(**options, **keys)
        return lambda net: make_step(Config(optim=optim), net, LocalComm())

    whole = moved(take())
    length = norm(whole.values()) / 0.02
    for clip in (length / 4, 0.01):
        clipped = moved(take(clip=clip))
        assert norm(clipped.values()) / 0.02 == pytest.approx(clip, rel=1e-3)
        for name in whole:
            assert np.abs(clipped[name] - clip / length * whole[name]).max() < 1e-6, name
    unclipped = moved(take(clip=2 * length))
    assert all(np.array_equal(unclipped[name], whole[name]) for name in whole)


def test_ranks_clip_the_mean_of_all_of_them():
    """Where Horovod leaves the sum over two ranks in the gradients, its trainer's scale is half."""
    net, trainer = start(Optim(batch_size=8, lr=0.02, momentum=0.0, weight_decay=0.0))
    trainer._scale /= 2
    trainer.allreduce_grads = lambda: [
        p.grad().__imul__(2) for p in trainer._params if p.grad_req != "null"
    ]
    before = weights(net)
    Step(clip=0.01)(net, trainer, mx.nd.array(X), mx.nd.array(Y), 0)
    taken = [before[k] - v for k, v in weights(net).items() if "running" not in k]
    assert norm(taken) / 0.02 == pytest.approx(0.01, rel=1e-3)


def test_with_a_scale_that_overflows_the_step_is_skipped_as_without():
    lengths = [
        norm(moved(lambda net, clip=clip: Step(scale=LossScale(2.0**126), clip=clip)).values())
        for clip in (0.0, 0.01)
    ]
    assert lengths == [0, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_norm_that_is_not_finite_ends_the_epoch(bad):
    net, trainer = start(plain())
    learner = Learner(net, trainer, LocalComm(), mx.cpu())

    def spoil():
        net.output.weight.grad()[0, 0] = bad

    trainer.allreduce_grads = spoil
    with pytest.raises(InputError, match="the loss is nan: lower optim.lr"):
        train_one_epoch(learner, [(0, (X, Y))], lambda n: 0.1, lambda *row: None, 1, Step(clip=1.0))
