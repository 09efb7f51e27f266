"""Stochastic depth and the start as the identity: of training, not of the network."""

import dataclasses

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon

from benchmarks.networks import settle
from gluon_glore import InputError, Network, Stage, get_model
from gluon_glore.layers.drop_path import DropPath
from gluon_glore.layers.residual import Residual
from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.networks import initialize, relative_error
from tests.helpers.odd_networks import ODD
from tests.helpers.steps import SMALL, X, Y, plain, weights
from train.config.sections import Config, Model
from train.engine.comm import LocalComm
from train.engine.norm_statistics import measure_statistics
from train.engine.optimizer import make_optimizer
from train.engine.recompute import Segments
from train.engine.residual_units import (
    check_units,
    drops_paths,
    residual_units,
    set_drop_path,
    start_as_identity,
    whole,
)
from train.engine.step import make_step

BATCH = 6
WHOLE = dataclasses.replace(SMALL, dropout=0.0)


def made(rate=0.5, spec=WHOLE, hybridize=True):
    mx.random.seed(0)
    net = Network(spec)
    net.initialize()
    settle(net, mx.nd.array(X))
    if rate:
        set_drop_path(net, rate)
    if hybridize:
        net.hybridize(static_alloc=True, static_shape=True)
    return net


def test_probabilities_rise_from_0_at_the_first_unit_to_the_rate_at_the_last():
    net = made(0.4, hybridize=False)
    paths = [unit.body[-1].drop_path for unit in residual_units(net)]
    rates = [path and path._rate for path in paths]
    assert rates[0] is None
    assert rates[1:] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    extra = [block for block in net.features if block.name.endswith("extra")]
    assert [block.drop_path._rate for block in extra] == [rates[-1]]
    alone = Network(dataclasses.replace(WHOLE, stages=(Stage(1, 16, 1),), extras=()))
    set_drop_path(alone, 0.4)
    assert [unit.body[-1].drop_path._rate for unit in residual_units(alone)] == [0.4]


@pytest.mark.parametrize("hybridize", [True, False])
@pytest.mark.parametrize(("axes", "frames"), [(2, 0), (3, 0), (2, 4)])
def test_samples_lose_their_branch_or_keep_it_larger_forward_and_backward(axes, frames, hybridize):
    block = DropPath(0.25, axes, frames)
    if hybridize:
        block.hybridize(static_alloc=True, static_shape=True)
    samples = 400
    x = mx.nd.random.uniform(1, 2, shape=(samples * (frames or 1), 2, *(3,) * axes))
    assert np.array_equal(block(x).asnumpy(), x.asnumpy())
    x.attach_grad()
    mx.random.seed(0)
    with autograd.record():
        y = block(x)
    y.backward(mx.nd.full(y.shape, 2.0))
    mask = (y / x).asnumpy()
    assert x.grad.asnumpy() == pytest.approx(2 * mask, rel=1e-6)
    flat = mask.reshape((frames or 1, samples, -1))  # the first frame of every clip comes first
    assert np.ptp(flat, axis=(0, 2)).max() < 1e-6
    kept = flat[0, :, 0] > 0
    assert flat[0, kept, 0] == pytest.approx(1 / 0.75, rel=1e-6)
    assert 0.65 < kept.mean() < 0.85


@pytest.mark.parametrize("squeeze_excite", [0, 4])
def test_a_unit_without_its_branch_is_its_shortcut(squeeze_excite):
    spec = dataclasses.replace(WHOLE, squeeze_excite=squeeze_excite)
    net = made(0.5, spec, hybridize=False)
    unit = residual_units(net)[-1]
    x = mx.nd.random.normal(shape=(64, 32, 4, 4))
    with autograd.train_mode():
        mx.random.seed(1)
        y = unit(x)
        with whole(net):
            full = unit(x)
        shortcut = x if unit.shortcut is None else unit.shortcut(x)
    share = ((y - shortcut) * (full - shortcut)).sum(axis=(1, 2, 3)) / ((full - shortcut) ** 2).sum(
        axis=(1, 2, 3)
    )
    share = share.asnumpy().round(4)
    assert set(share) == {0.0, 2.0}
    assert unit.body[-1].drop_path._rate == 0.5


def test_inference_and_all_that_is_saved_are_those_of_the_network_to_the_bit():
    plain_net, net = made(0), made(0.5)
    x = mx.nd.array(X)
    assert np.array_equal(net(x).asnumpy(), plain_net(x).asnumpy())
    assert net.spec == plain_net.spec and drops_paths(net) and not drops_paths(plain_net)
    assert list(net.collect_params()) == list(plain_net.collect_params())
    with autograd.train_mode():
        assert not np.array_equal(net(x).asnumpy(), plain_net(x).asnumpy())


@pytest.mark.parametrize("name", [name for name, spec in ODD.items() if spec.family != "dpn"])
def test_every_kind_of_network_drops_whole_samples_from_its_branches(name):
    """In a clip's case all of its frames, which share its mask."""
    spec = ODD[name]
    net = Network(spec)
    initialize(net)
    set_drop_path(net, 0.5)
    seen = []

    def look(path, inputs, output):
        frames = path._frames or 1
        assert len(output) == frames * BATCH
        x, y = (a.asnumpy().reshape(frames, BATCH, -1) for a in (inputs[0], output))
        scale = 1 / (1 - path._rate)
        kept = [np.allclose(y[:, i], scale * x[:, i], rtol=1e-5) for i in range(BATCH)]
        assert all(keeps or not y[:, i].any() for i, keeps in enumerate(kept))
        seen.append(kept)

    net.apply(lambda block: isinstance(block, DropPath) and block.register_forward_hook(look))
    x = mx.nd.random.normal(shape=(BATCH, spec.in_channels, *spec.input_size))
    with autograd.train_mode():
        net(x).wait_to_read()
    paths = [unit.body[-1].drop_path for unit in residual_units(net)][1:]
    behind = [extra for extra in spec.extras if (extra.stage, extra.after) != (2, 1)]
    assert len(seen) == len(paths) + len(behind)  # the first unit is never dropped
    for path in paths:
        assert bool(path._frames) == bool(spec.clip_frames)
    assert {True, False} == {keeps for kept in seen for keeps in kept}


def step_losses(first, rank, **options):
    net = made(0.5)
    trainer = LocalComm().trainer(net.collect_params(), make_optimizer(plain()))
    trainer.set_learning_rate(0.0)
    comm = LocalComm()
    comm.rank = rank
    optim = plain(**options)
    take = make_step(Config(optim=optim, seed=3), net, comm)
    mx.random.seed(first + 100)  # whatever was drawn before
    x, y = mx.nd.array(X), mx.nd.array(Y)
    return [take(net, trainer, x, y, n)[1].asnumpy().tolist() for n in range(first, 3)]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"accumulate": 2},
        {"recompute": 2},
        {"recompute": 1, "accumulate": 4},
        pytest.param({"precision": "bfloat16"}, marks=needs_bfloat16),
        pytest.param({"precision": "bfloat16", "recompute": 2}, marks=needs_bfloat16),
    ],
    ids=str,
)
def test_masks_are_a_function_of_seed_step_and_rank(options):
    told = step_losses(0, rank=0, **options)
    assert step_losses(1, rank=0, **options) == told[1:]
    assert step_losses(0, rank=1, **options) != told
    assert told[0] != told[1]


@pytest.mark.parametrize("units", [1, 2])
def test_recomputation_draws_the_masks_of_the_first_pass_again(units):
    """Against the same segments in one recording, each with its own seed once."""

    def loss(outputs):
        return gluon.loss.SoftmaxCrossEntropyLoss()(outputs, mx.nd.array(Y))

    def gradients(net):
        params = [p for p in net.collect_params().values() if p.grad_req != "null"]
        return [p.grad().asnumpy() for p in params]

    x, seed = mx.nd.array(X), (3, 0, 7, 0)
    again = made(0.5, hybridize=False)
    outputs, _ = Segments(again, units).backward(x, loss, lambda losses: None, seed)
    once = made(0.5, hybridize=False)
    runs = Segments(once, units).runs
    seeds = np.random.SeedSequence(seed).generate_state(len(runs))
    assert len(runs) > 2
    with autograd.record():
        y = x
        for run, number in zip(runs, seeds):
            mx.random.seed(int(number))
            y = run(y)
        losses = loss(y)
    losses.backward()
    assert relative_error(outputs.asnumpy(), y.asnumpy()) < 1e-6
    for ours, theirs in zip(gradients(again), gradients(once)):
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


@needs_bfloat16
def test_bfloat16_takes_the_steps_of_float32_with_the_same_masks():
    exact, low = (step_losses(0, 0, precision=p) for p in ("float32", "bfloat16"))
    for ours, theirs in zip(low, exact):
        assert relative_error(np.array(ours), np.array(theirs)) < 0.05


@pytest.mark.parametrize("units", [0, 2])
def test_measured_statistics_are_those_of_the_whole_network(units):
    batches = [(X, Y), (X[::-1].copy() + 1, Y)]

    def statistics(rate):
        net = made(rate, hybridize=not units)
        segments = Segments(net, units) if units else None
        with autograd.record():
            loss = (segments.runs[0](mx.nd.array(X)) if units else net(mx.nd.array(X))).sum()
        loss.backward()  # a graph with the rates is there
        measure_statistics(net, iter(batches), LocalComm(), mx.cpu(), segments=segments)
        with autograd.train_mode():
            drops = not np.array_equal(net(mx.nd.array(X)).asnumpy(), net(mx.nd.array(X)).asnumpy())
        return {k: v for k, v in weights(net).items() if "running" in k}, drops

    (with_rate, drops), (without, never) = statistics(0.5), statistics(0)
    assert drops and not never
    for name, values in without.items():
        assert np.array_equal(with_rate[name], values), name


@pytest.mark.parametrize("squeeze_excite", [0, 4])
@pytest.mark.parametrize("bottleneck", [True, False])
def test_units_that_start_as_the_identity_learn(bottleneck, squeeze_excite):
    spec = dataclasses.replace(
        WHOLE, bottleneck=bottleneck, squeeze_excite=squeeze_excite, extras=()
    )
    mx.random.seed(0)
    net = Network(spec)
    net.initialize()
    before = weights(net)
    start_as_identity(net)
    zeroed = {unit.last_convolution.conv.weight.name for unit in residual_units(net)}
    assert len(zeroed) == 5
    for name, values in weights(net).items():
        assert np.array_equal(values, 0 * before[name] if name in zeroed else before[name]), name
    x = mx.nd.array(X)
    with autograd.train_mode():
        ours = net(x).asnumpy()
        y = x
        for block in net.features:
            if not isinstance(block, Residual):
                y = block(y)
                continue
            read = y if block.norm is None else block.norm(y)
            y = y if block.shortcut is None else block.shortcut(read)
        assert np.array_equal(ours, net.output(y).asnumpy())
    with autograd.record():
        loss = (net(x) ** 2).sum()
    loss.backward()
    for name in zeroed:
        assert np.abs(net.collect_params()[name].grad().asnumpy()).max() > 0, name


@pytest.mark.parametrize("key", ["drop_path", "zero_init_residual"])
def test_networks_without_residual_units_are_refused(key):
    net = Network(ODD["2-D dpn"])
    check_units(net, Model("dual"))
    message = f"model.{key} is for networks of residual units, given dual"
    with pytest.raises(InputError, match=message):
        check_units(net, Model("dual", **{key: 1}))
    check_units(get_model("tiny"), Model("tiny", **{key: 1}))
