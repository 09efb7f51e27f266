"""AdamW and LAMB against the papers' lines in float64, and what resumes of them."""

import re

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import Network, get_model
from tests.helpers.networks import initialize
from tests.helpers.odd_networks import ODD
from tests.helpers.runs import same
from train.config.optim import Optim
from train.engine.adam import square
from train.engine.checkpoint import momentum_of
from train.engine.comm import LocalComm
from train.engine.optimizer import make_optimizer, set_multipliers
from train.engine.step import Step

SHAPES = {"a_weight": (16, 8, 3, 3), "a_bias": (16,), "b_weight": (5, 70), "b_gamma": (9,)}
RNG = np.random.RandomState(0)
START = {name: RNG.normal(size=shape) for name, shape in SHAPES.items()}
GRADIENTS = [{name: RNG.normal(size=shape) for name, shape in SHAPES.items()} for _ in range(5)]
BATCH = 4  # gradients are sums over it


def expected(optim, rates, epsilon, start=START, given=GRADIENTS):
    """The weights after a step at each of the rates, by the papers' algorithms."""
    weights = {name: value.astype("float64") for name, value in start.items()}
    means = {name: [0.0, 0.0] for name in weights}
    for t, (rate, gradients) in enumerate(zip(rates, given), start=1):
        for name, w in weights.items():
            g, (m, v) = gradients[name] / BATCH, means[name]
            m = optim.beta1 * m + (1 - optim.beta1) * g
            v = optim.beta2 * v + (1 - optim.beta2) * g**2
            means[name] = [m, v]
            spared = not name.endswith("weight")
            decay = 0 if spared and not optim.decay_all else optim.weight_decay
            for pattern, factor in optim.wd_mult.items():
                decay *= factor if re.search(pattern, name) else 1
            own = rate
            for pattern, factor in optim.lr_mult.items():
                own *= factor if re.search(pattern, name) else 1
            unit = m / (1 - optim.beta1**t) / (np.sqrt(v / (1 - optim.beta2**t)) + epsilon)
            unit = unit + decay * w
            if optim.optimizer == "lamb" and not spared and w.any() and unit.any():
                unit *= np.linalg.norm(w) / np.linalg.norm(unit)
            weights[name] = w - own * unit
    return weights


def give(param, gradient):
    """Let a parameter have a gradient, as a backward does."""
    param.grad()[:] = mx.nd.array(gradient)
    param.data()._fresh_grad = True


def trained(optim, rates):
    params = {}
    for name, value in START.items():
        params[name] = mx.gluon.Parameter(name, shape=value.shape)
        params[name].initialize()
        params[name].set_data(mx.nd.array(value))
    set_multipliers(params, optim)
    trainer = LocalComm().trainer(params, make_optimizer(optim))
    for rate, gradients in zip(rates, GRADIENTS):
        trainer.set_learning_rate(rate)
        for name, gradient in gradients.items():
            give(params[name], gradient)
        trainer.update(BATCH)
    return {name: param.data().asnumpy() for name, param in params.items()}


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"beta1": 0.5, "beta2": 0.9, "epsilon": 0.1},
        {"decay_all": False},
        {"lr_mult": {"^b": 0.25, "gamma": 0.0}, "wd_mult": {"a_weight": 3.0, "bias": 0.0}},
    ],
    ids=str,
)
@pytest.mark.parametrize(("name", "epsilon"), [("adamw", 1e-8), ("lamb", 1e-6)])
def test_five_steps_are_those_of_the_paper(name, epsilon, keys):
    keys = {"weight_decay": 0.1, **keys}
    optim, rates = Optim(optimizer=name, lr=0.1, **keys), [0.1, 0.2, 0.05, 0.1, 0.3]
    ours = trained(optim, rates)
    right = expected(optim, rates, optim.epsilon or epsilon)
    for array in SHAPES:
        moved = np.abs(ours[array] - START[array]).max()
        assert moved > 0.05 or array == "b_gamma" and "lr_mult" in keys, array
        assert np.abs(ours[array] - right[array]).max() < 1e-5 * max(1, moved), array


def test_the_decay_of_adamw_takes_its_share_of_a_weight_whatever_the_gradient():
    """Added to the gradient it would be divided by the gradient's size."""
    plain, decayed = (
        trained(Optim(optimizer="adamw", weight_decay=decay), [0.1])["b_weight"]
        for decay in (0.0, 0.5)
    )
    assert plain - decayed == pytest.approx(0.1 * 0.5 * START["b_weight"], abs=1e-6)


@pytest.mark.parametrize("kind", ["2-D two masks", "clips", "clips, 3x3x3"])
@pytest.mark.parametrize(("name", "epsilon"), [("adamw", 1e-3), ("lamb", 1e-3)])
def test_networks_whose_arrays_are_in_onednns_layouts_take_the_papers_steps(name, epsilon, kind):
    """Weights after an inference, gradients after a backward; and the norm of those is clipped."""
    spec = ODD[kind]
    net = Network(spec)
    initialize(net)
    net.hybridize(static_alloc=True, static_shape=True)
    x = mx.nd.random.normal(shape=(BATCH, spec.in_channels, *spec.input_size))
    optim = Optim(optimizer=name, weight_decay=0.1, epsilon=epsilon, decay_all=False)
    params = {k: p for k, p in net.collect_params().items() if p.grad_req != "null"}
    set_multipliers(net.collect_params(), optim)
    trainer = LocalComm().trainer(net.collect_params(), make_optimizer(optim))
    trainer.set_learning_rate(0.01)
    take, update, given = Step(clip=0.05), trainer.update, []
    start = {k: p.data().asnumpy() for k, p in params.items()}

    def look(size):
        given.append({k: p.grad().asnumpy().astype("float64") for k, p in params.items()})
        update(size)

    trainer.update = look
    for number in range(2):
        net(x).wait_to_read()
        take(net, trainer, x, mx.nd.arange(BATCH) % spec.classes, number)
    for gradients in given:
        length = np.sqrt(sum((g**2).sum() for g in gradients.values())) / BATCH
        assert length == pytest.approx(0.05, rel=1e-3)
    right = expected(optim, [0.01] * 2, epsilon, start, given)
    for key, values in right.items():
        moved = np.abs(values - start[key]).max()
        assert np.abs(params[key].data().asnumpy() - values).max() <= 1e-3 * moved + 1e-7, key


def test_lamb_moves_an_array_of_zeros():
    param = mx.gluon.Parameter("a_weight", shape=(3,))
    param.initialize(mx.init.Zero())
    optim = Optim(optimizer="lamb", weight_decay=0.0)
    trainer = LocalComm().trainer({"a": param}, make_optimizer(optim))
    give(param, [1, -2, 3])
    trainer.set_learning_rate(0.1)
    trainer.update(1)
    assert param.data().asnumpy() == pytest.approx([-0.1, 0.1, -0.1], rel=1e-5)


def test_squares_of_millions_of_numbers_are_added_up_right():
    array = np.random.RandomState(0).normal(size=(1 << 11, 1 << 11)).astype("float32")
    assert square(mx.nd.array(array)).asscalar() == pytest.approx(
        (array.astype("float64") ** 2).sum(), rel=1e-4
    )


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_both_means_and_the_count_of_steps_come_back(name):
    """The correction of the means is of the steps taken: without it the next would be longer."""

    def start():
        net = get_model("tiny_glore_0_1", classes=2)
        mx.random.seed(0)
        net.initialize()
        trainer = LocalComm().trainer(net.collect_params(), make_optimizer(Optim(optimizer=name)))
        trainer.set_learning_rate(0.01)
        return net, trainer

    def step(net, trainer):
        x = mx.nd.array(np.random.RandomState(0).normal(size=(4, 1, 64, 64)))
        with mx.autograd.record():
            loss = (net(x) ** 2).sum()
        loss.backward()
        trainer.step(4)

    def values(net):
        return {k: p.data().asnumpy() for k, p in net.collect_params().items()}

    net, trainer = start()
    step(net, trainer)
    kept, states = values(net), {k: v.asnumpy() for k, v in momentum_of(trainer).items()}
    step(net, trainer)
    whole = values(net)
    ends = []
    for updates in (1, 0):
        again, other = start()
        for key, param in again.collect_params().items():
            param.set_data(mx.nd.array(kept[key]))
        for key, state in momentum_of(other).items():
            state[:] = states[key]
        other._optimizer.begin_num_update = other._optimizer.num_update = updates
        step(again, other)
        ends.append(same(values(again), whole))
    assert len(states) == 2 * sum(p.grad_req != "null" for p in net.collect_params().values())
    assert ends == [True, False]
