import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_glore import InputError, get_model
from train.config.optim import Optim
from train.engine.comm import LocalComm
from train.engine.optimizer import learning_rate, make_optimizer, set_multipliers


def moves(optim, gradients, value=2.0):
    """What one weight of `value` is after each of the gradients."""
    param = mx.gluon.Parameter("a_weight", shape=(1,))
    param.initialize(mx.init.Constant(value))
    trainer = LocalComm().trainer({"a_weight": param}, make_optimizer(optim))
    seen = []
    for gradient in gradients:
        with autograd.record():
            loss = gradient * param.data()
        loss.backward()
        trainer.step(1)
        seen.append(param.data().asscalar())
    return seen


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum_and_weight_decay_follow_their_formula(nesterov):
    """v = m v + g + d w, then w -= r v, or r (g + d w + m v) (Sutskever et al. 2013)."""
    rate, momentum, decay = 0.1, 0.9, 0.01
    optim = Optim(lr=rate, momentum=momentum, weight_decay=decay, nesterov=nesterov)
    gradients = [1.0, -0.5, 0.25, 2.0]
    w, v, expected = 2.0, 0.0, []
    for gradient in gradients:
        v = momentum * v + gradient + decay * w
        step = gradient + decay * w + momentum * v if nesterov else v
        w -= rate * step
        expected.append(w)
    assert moves(optim, gradients) == pytest.approx(expected, rel=1e-5)


def test_an_array_at_a_time_moves_as_mxnets_sgd_to_the_bit():
    def trained(optimizer):
        rng = np.random.RandomState(0)
        params = {}
        for i, shape in enumerate([(5, 3), (70,), (1,), (16, 8, 3, 3), (2, 2), (9,)]):
            params[f"a{i}_weight"] = param = mx.gluon.Parameter(f"a{i}_weight", shape=shape)
            param.initialize()
            param.set_data(mx.nd.array(rng.normal(size=shape)))
            param.lr_mult, param.wd_mult = 1 + i % 2, i % 3
        trainer = LocalComm().trainer(params, optimizer)
        for _ in range(4):
            for param in params.values():
                param.grad()[:] = mx.nd.array(rng.normal(size=param.shape))
                param.data()._fresh_grad = True  # others are passed over
            trainer.update(3)
        return [param.data().asnumpy() for param in params.values()]

    optim = Optim(lr=0.1, momentum=0.9, weight_decay=1e-2)
    ours = make_optimizer(optim)
    theirs = mx.optimizer.SGD(momentum=0.9, wd=1e-2, learning_rate=0.1)
    if not mx.context.num_gpus():
        assert ours.aggregate_num == 1 < theirs.aggregate_num
    for a, b in zip(trained(ours), trained(theirs)):
        assert np.array_equal(a, b)


def step(optim, name="tiny_glore_0_1"):
    """Weights before and after one step whose gradients are all 0: what is left is decay."""
    net = get_model(name, classes=2)
    net.initialize(mx.init.One())
    params = {k: p for k, p in net.collect_params().items() if p.grad_req != "null"}
    for param in params.values():
        param.set_data(mx.nd.ones(param.shape))
    set_multipliers(net.collect_params(), optim)
    trainer = LocalComm().trainer(net.collect_params(), make_optimizer(optim))
    with autograd.record():
        loss = sum((0 * param.data()).sum() for param in params.values())
    loss.backward()
    trainer.step(1)
    return {name: 1 - param.data().asnumpy().max() for name, param in params.items()}


def test_weight_decay_spares_biases_and_batchnorm_where_asked():
    every = step(Optim(lr=0.1, weight_decay=0.5))
    assert set(np.round(list(every.values()), 5)) == {0.05}
    some = step(Optim(lr=0.1, weight_decay=0.5, decay_all=False))
    kinds = {"weight": 0.05, "bias": 0, "gamma": 0, "beta": 0}
    for name, decayed in some.items():
        assert decayed == pytest.approx(kinds[name.rsplit("_", 1)[1]], abs=1e-6), name
    assert {name.rsplit("_", 1)[1] for name in some} == set(kinds)


def test_rates_are_multiplied_by_the_factors_of_all_patterns_in_a_name():
    moved = step(Optim(lr=0.1, weight_decay=0.5, lr_mult={"^conv3": 0.5, "weight$": 0.2, "bn": 0}))
    for name, by in moved.items():
        factor = (0.5 if name.startswith("conv3") else 1) * (0.2 if name.endswith("weight") else 1)
        assert by == pytest.approx(0 if "bn" in name else 0.05 * factor, abs=1e-6), name


def test_new_layers_have_their_factor_beside_those_of_patterns():
    net = get_model("tiny")
    new = ("classifier_weight", "conv4_B01_conv-m1__conv_weight")
    optim = Optim(new_mult=10, lr_mult={"^classifier": 0.5})
    set_multipliers(net.collect_params(), optim, new)
    mults = {name: param.lr_mult for name, param in net.collect_params().items()}
    assert mults.pop("classifier_weight") == 5 and mults.pop("classifier_bias") == 0.5
    assert mults.pop("conv4_B01_conv-m1__conv_weight") == 10
    assert set(mults.values()) == {1}


def test_a_pattern_that_is_in_no_name_is_refused():
    net = get_model("tiny")
    with pytest.raises(InputError, match=r"lr_mult: no parameter has 'fc6' .*conv1.*classifier"):
        set_multipliers(net.collect_params(), Optim(lr_mult={"classifier": 10.0, "fc6": 10.0}))


def test_decay_is_multiplied_by_the_factors_of_all_patterns_in_a_name():
    """The released video trainer's: none on biases, and BatchNorm's beta is one."""
    decayed = step(Optim(lr=0.1, weight_decay=0.5, wd_mult={"(bias|beta)$": 0, "^conv3": 0.5}))
    for name, by in decayed.items():
        factor = 0 if name.endswith(("bias", "beta")) else 0.5 if name.startswith("conv3") else 1
        assert by == pytest.approx(0.05 * factor, abs=1e-6), name


def test_a_pattern_of_decay_that_is_in_no_name_is_refused():
    with pytest.raises(InputError, match="wd_mult: no parameter has 'fc6'"):
        set_multipliers(get_model("tiny").collect_params(), Optim(wd_mult={"fc6": 0}))


def test_steps_multiply_at_their_epochs():
    optim = Optim(lr=0.4, schedule="step", steps=(2, 3), factor=0.1)
    rates = [learning_rate(optim, step, 10) for step in (0, 19, 20, 29, 30, 99)]
    assert rates == pytest.approx([0.4, 0.4, 0.04, 0.04, 0.004, 0.004])


def test_cosine_falls_from_lr_to_zero_over_the_run():
    optim = Optim(lr=0.4, schedule="cosine", epochs=4)
    assert learning_rate(optim, 0, 10) == 0.4
    assert learning_rate(optim, 20, 10) == pytest.approx(0.2)
    assert learning_rate(optim, 39, 10) < 0.001
    rates = [learning_rate(optim, step, 10) for step in range(40)]
    assert rates == sorted(rates, reverse=True)


def test_warm_up_rises_linearly_to_lr():
    optim = Optim(lr=0.4, warmup=2)
    assert [learning_rate(optim, s, 10) for s in (0, 9, 19)] == pytest.approx([0.02, 0.2, 0.4])


def test_warm_up_in_steps_rises_from_its_share_of_the_rate():
    """The released video trainer's: 1,500 iterations from a tenth, whatever an epoch is."""
    optim = Optim(lr=0.05, warmup_steps=1500, warmup_start=0.1, steps=(1,), epoch_samples=128000)
    assert optim.batch_size == 256  # 500 steps an epoch: the rate's first fall is in the warm-up
    for steps_per_epoch in (10, 4000):
        rates = [learning_rate(optim, step, steps_per_epoch) for step in (0, 750, 1499, 1500)]
        assert rates == pytest.approx([0.005, 0.0275, 0.05 * (0.1 + 0.9 * 1499 / 1500), 0.005])
    every = [learning_rate(optim, step, 10) for step in range(1500)]
    assert np.diff(every) == pytest.approx(np.full(1499, 0.05 * 0.9 / 1500))
    plain = Optim(lr=0.4, warmup_steps=20)
    assert [learning_rate(plain, s, 7) for s in (0, 9, 19)] == pytest.approx([0.02, 0.2, 0.4])
    share = Optim(lr=0.4, warmup=2, warmup_start=0.5)
    assert [learning_rate(share, s, 10) for s in (0, 10, 20)] == pytest.approx([0.2, 0.3, 0.4])


def test_a_warm_up_without_the_newer_keys_is_what_it_was_to_the_bit():
    optim = Optim(lr=0.37, warmup=0.7)
    for step in range(19):
        assert learning_rate(optim, step, 27) == 0.37 * min(1, (step + 1) / (0.7 * 27))


def test_poly_falls_to_zero_over_the_run_by_its_power():
    optim = Optim(lr=0.4, schedule="poly", epochs=4, power=0.5)
    rates = [learning_rate(optim, step, 10) for step in (0, 30, 39)]
    assert rates == pytest.approx([0.4, 0.2, 0.4 * (1 / 40) ** 0.5])


@pytest.mark.parametrize("steps_per_epoch", [3, 7, 1000])
def test_a_run_of_iterations_has_its_schedule_in_steps_whatever_an_epoch_is(steps_per_epoch):
    def rates(**keys):
        optim = Optim(lr=0.4, iterations=40, **keys)
        assert optim.run_steps(steps_per_epoch) == 40
        return [learning_rate(optim, step, steps_per_epoch) for step in range(40)]

    left = 1 - np.arange(40) / 40
    assert rates(schedule="poly", power=0.9) == pytest.approx(0.4 * left**0.9)
    assert rates(schedule="cosine") == pytest.approx(0.2 * (1 - np.cos(np.pi * left)))
    assert rates(steps=(10, 30)) == pytest.approx([0.4] * 10 + [0.04] * 20 + [0.004] * 10)
    assert rates(steps=()) == [0.4] * 40
    warm = rates(schedule="poly", warmup_steps=4, power=1)
    assert warm == pytest.approx([0.1, 0.2, 0.3, 0.4, *0.4 * left[4:]])


@pytest.mark.parametrize("schedule", ["step", "cosine", "poly"])
def test_the_rate_grows_with_the_batch_where_its_own_batch_is_given(schedule):
    own = Optim(lr=0.1, batch_size=256, schedule=schedule, warmup=1)
    grown = Optim(lr=0.1, batch_size=1024, lr_batch=256, schedule=schedule, warmup=1)
    for step in (0, 9, 10, 450):
        once, fourfold = (learning_rate(optim, step, 10) for optim in (own, grown))
        assert fourfold == pytest.approx(4 * once)


def test_epochs_of_the_schedule_are_counted_in_samples_where_asked():
    """Kinetics: x 0.1 at 45 x 240,000 samples, whatever is left of the set."""
    optim = Optim(lr=0.04, batch_size=512, steps=(45,), epoch_samples=240000, warmup=1)
    boundary = 45 * 240000 // 512
    for steps_per_epoch in (10, 300):
        rates = [learning_rate(optim, boundary + i, steps_per_epoch) for i in (0, 1)]
        assert rates == pytest.approx([0.04, 0.004])  # 45 epochs end within a step
        half = learning_rate(optim, 240000 // 512 // 2, steps_per_epoch)
        assert half == pytest.approx(0.02, rel=0.01)
