"""BatchNorm over all ranks against MXNet's own over the whole batch, and against float64."""

import time

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import HybridBlock

from gluon_glore import InputError, NetSpec, Network, Stage, Stem
from gluon_glore.layers.basic import Norm, freeze_norm
from tests.helpers.horovod import horovodrun, needs_horovod
from tests.helpers.networks import relative_error
from train.config.optim import Optim
from train.engine.comm import LocalComm
from train.engine.optimizer import make_optimizer
from train.engine.sync_norm import Synchronized, combine, moments, run_length

# Shortcuts beside the convolutions: their layers run at the same time, on each rank as it likes.
SMALL = NetSpec(
    stages=(Stage(2, 16, 1), Stage(2, 32, 2), Stage(1, 32, 1)),
    stem=Stem(channels=16, kernel=3, stride=1, pool=0),
    bottleneck=False,
    input_size=(16, 16),
    classes=5,
).with_units("glore", res4=(1,), mid_channels=16, arrangement="post", normalize=True)
BATCH = 8


class WithAuxiliary(HybridBlock):
    """A network whose training has a second output, of a layer inside it."""

    def __init__(self, net):
        super().__init__(prefix="")
        self.net = net
        self.norm = Norm("auxiliary", 16)

    def hybrid_forward(self, F, x):
        inner = self.net.features[0](x)
        return self.net.output(self.net.features(x)), F.mean(self.norm(inner), axis=(2, 3))


def start(dtype="float32", spec=SMALL, unit_gamma=1):
    """A network that is the same each time; its units, which begin at zero, do something."""
    mx.random.seed(0)
    net = Network(spec)
    net.initialize()
    net.cast(dtype)
    for param in net.collect_params(".*extra.*gamma").values():
        param.set_data(mx.nd.full(param.shape, unit_gamma, dtype=dtype))
    net.hybridize(static_alloc=True, static_shape=True)
    return net


def batch(step, dtype):
    """Pictures of many brightnesses and contrasts, so that no half stands for the whole."""
    rng = np.random.RandomState(step)
    contrast, brightness = rng.uniform(0.5, 3, (BATCH, 1, 1, 1)), rng.normal(size=(BATCH, 1, 1, 1))
    pictures = rng.normal(size=(BATCH, 3, 16, 16)) * contrast + brightness
    return pictures.astype(dtype), rng.randint(0, SMALL.classes, BATCH)


def steps(graph, net, comm, dtype, count):
    """What a few steps told: loss of the batch, all gradients, all running statistics."""
    trainer = comm.trainer(net.collect_params(), make_optimizer(Optim(lr=0.01)))
    share = BATCH // comm.size
    mine = slice(comm.rank * share, (comm.rank + 1) * share)
    losses, told = mx.gluon.loss.SoftmaxCrossEntropyLoss(), {}
    for step in range(count):
        x, y = (mx.nd.array(array[mine], dtype=dtype) for array in batch(step, dtype))
        with autograd.record():
            loss = losses(graph(x), y)
        loss.backward()
        trainer.allreduce_grads()
        told[f"loss {step} "] = comm.sum(loss.asnumpy().sum(), "loss")
        for name, param in net.collect_params().items():
            if param.grad_req != "null":
                told[f"gradient {step} {name}"] = param.grad().asnumpy()
        trainer.update(share)
        for name, param in net.collect_params(".*running.*").items():
            told[f"running {step} {name}"] = param.data().asnumpy()
    told["evaluation"] = net(mx.nd.array(batch(0, dtype)[0], dtype=dtype)).asnumpy()
    return told


def worst(ours, theirs, kind):
    """The largest difference, as a share of the largest value of that kind."""
    names = [name for name in theirs if name.startswith(kind)]
    largest = max(np.abs(theirs[name]).max() for name in names)
    return max(np.abs(ours[name] - theirs[name]).max() for name in names) / largest


def normalised(graph, x, weights):
    """Output, gradients and running statistics of a Norm, with given gradients of the output."""
    x = mx.nd.array(x)
    x.attach_grad()
    with autograd.record():
        y = graph(x)
    y.backward(mx.nd.array(weights))
    params = graph.collect_params()
    grads = [p.grad().asnumpy() for p in params.values() if p.grad_req != "null"]
    running = [params[n].data().asnumpy() for n in params if "running" in n]
    return [y.asnumpy(), x.grad.asnumpy(), *grads, *running]


def exact(x, weights, gamma, beta, eps):
    """The same in float64, of a Norm with ReLU whose running statistics were 0 and 1."""
    axes = (0, *range(2, x.ndim))

    def wide(vector):
        return vector.reshape((1, -1) + (1,) * (x.ndim - 2))

    x, weights = x.astype("float64"), weights.astype("float64")
    mean, var = x.mean(axes), x.var(axes)
    inverse = 1 / np.sqrt(var + eps)
    hat = (x - wide(mean)) * wide(inverse)
    y = hat * wide(gamma) + wide(beta)
    dy = weights * (y > 0)
    dgamma, dbeta = (dy * hat).sum(axes), dy.sum(axes)
    count = x.size / len(mean)
    dx = wide(gamma * inverse) * (dy - (wide(dbeta) + hat * wide(dgamma)) / count)
    return [np.maximum(y, 0), dx, dgamma, dbeta, 0.1 * mean, 0.9 + 0.1 * var]


@pytest.mark.parametrize(
    ("shape", "mean", "tolerance"),
    [
        ((4, 16, 9, 12), 0, 1e-5),
        ((4, 5, 9, 12), 3, 1e-5),  # not oneDNN's blocks of 8
        ((5, 7, 30, 1), 0, 1e-5),  # flattened locations
        ((3, 16, 4, 7, 6), 1, 1e-5),
        ((2, 3, 4, 7, 6), 1, 1e-5),
        ((4, 16, 9, 12), 1e4, 1e-2),  # what is left is the mean's own rounding
    ],
)
def test_a_layer_is_batchnorm_to_float32(shape, mean, tolerance):
    rng = np.random.RandomState(0)
    channels = shape[1]
    x, weights = rng.normal(mean, 1.5, shape).astype("float32"), rng.normal(size=shape)
    gamma, beta = rng.uniform(0.5, 1.5, channels), rng.normal(size=channels)
    layer = Norm("layer", channels, axes=len(shape) - 2)
    layer.initialize()
    layer.norm.gamma.set_data(mx.nd.array(gamma))
    layer.norm.beta.set_data(mx.nd.array(beta))
    ours = normalised(Synchronized(layer, LocalComm()), x, weights)
    theirs = exact(x, weights, gamma, beta, layer.norm._kwargs["eps"])
    assert [relative_error(*pair) < tolerance for pair in zip(ours, theirs)] == [True] * 6


def test_moments_stay_accurate_where_the_mean_is_large_and_locations_are_many():
    rng = np.random.RandomState(0)
    x = rng.normal(1e4, 1, (2, 3, 384, 384)).astype("float32")
    mean, var = moments(mx.nd.array(x), 1e-5)
    assert np.abs(mean - x.mean((0, 2, 3), dtype="float64")).max() < 1e-3
    assert relative_error(var, x.var((0, 2, 3), dtype="float64")) < 1e-3
    # What the operator says of the same: the reason for runs.
    ones = mx.nd.ones(3)
    with autograd.train_mode():
        outputs = mx.nd.BatchNorm(
            mx.nd.array(x), ones, ones, ones.copy(), ones.copy(), output_mean_var=True
        )
    assert outputs[2].asnumpy().max() < 1 / 1.05  # a deviation that is too large


@pytest.mark.parametrize(
    ("size", "run"), [(1, 1), (2, 2), (4, 2), (12, 4), (13, 13), (384 * 384, 384)]
)
def test_runs_are_as_long_as_there_are_runs(size, run):
    assert run_length(size) == run


def test_parts_of_different_sizes_combine_to_the_whole():
    rng = np.random.RandomState(0)
    parts = [rng.normal(1e6, 1, (3, 2)), rng.normal(1e6 + 5, 2, (50, 2)), np.full((1, 2), 1e6)]
    whole = np.concatenate(parts)
    mean, var = combine(
        np.array([len(part) for part in parts]),
        np.array([part.mean(axis=0) for part in parts]),
        np.array([part.var(axis=0) for part in parts]),
    )
    assert np.allclose(mean, whole.mean(axis=0), rtol=1e-15)
    assert np.allclose(var, whole.var(axis=0), rtol=1e-9)


def test_one_process_trains_as_with_batchnorm():
    """In float64, where nothing but MXNet's float32 momentum (0.9) differs."""
    told = []
    for plain in (True, False):
        net = start("float64")
        graph = net if plain else Synchronized(net, LocalComm())
        told.append(steps(graph, net, LocalComm(), "float64", 3))
    for kind, tolerance in (("loss", 1e-12), ("gradient", 1e-9), ("running", 1e-6)):
        assert worst(*told, kind) < tolerance


def test_running_statistics_move_by_the_layers_own_momentum():
    layer = Norm("layer", 4, momentum=0.75)
    layer.initialize()
    x = mx.nd.random.normal(3, 2, (6, 4, 5, 5))
    with autograd.record():
        y = Synchronized(layer, LocalComm())(x)
    y.backward()
    expected = 0.25 * x.asnumpy().mean((0, 2, 3))
    assert np.allclose(layer.norm.running_mean.data().asnumpy(), expected, rtol=1e-5)


def test_evaluation_and_export_keep_batchnorm(tmp_path):
    net = start()
    x = mx.nd.array(batch(0, "float32")[0])
    before = net(x).asnumpy()
    graph = Synchronized(net, LocalComm())
    assert relative_error(graph(x).asnumpy(), before) < 1e-5  # not in training: no exchange either
    with autograd.record():
        graph(x)
    mx.nd.waitall()
    assert not np.array_equal(net(x).asnumpy(), before)  # the statistics that training has moved
    net.export(str(tmp_path / "net"))
    text = (tmp_path / "net-symbol.json").read_text()
    assert '"BatchNorm"' in text and "Custom" not in text


def test_the_graph_has_the_parameters_of_the_network_and_no_others():
    net = start()
    graph = Synchronized(net, LocalComm())
    graph.hybridize(False)  # reaches neither
    params = graph.collect_params()
    assert list(params) == list(net.collect_params())
    assert all(params[name] is param for name, param in net.collect_params().items())
    assert net._active


def test_a_block_of_two_outputs_is_synchronised():
    net = start()
    block = WithAuxiliary(net)
    block.norm.initialize()
    x = mx.nd.array(batch(0, "float32")[0])
    with autograd.record():
        logits, auxiliary = Synchronized(block, LocalComm())(x)
        (logits.sum() + auxiliary.square().sum()).backward()
    assert logits.shape == (BATCH, 5) and auxiliary.shape == (BATCH, 16)
    assert block.norm.norm.gamma.grad().norm().asscalar() > 0


def test_gradients_of_parts_add_up():
    net = start()
    graph = Synchronized(net, LocalComm())
    x = mx.nd.array(batch(0, "float32")[0])

    def gradients(times):
        for _ in range(times):
            with autograd.record():
                loss = graph(x).square().sum()
            loss.backward()
        params = net.collect_params().values()
        return [p.grad().asnumpy() for p in params if p.grad_req != "null"]

    once = gradients(1)
    for param in net.collect_params().values():
        if param.grad_req != "null":
            param.grad_req = "add"
    for one, three in zip(once, gradients(3)):
        assert np.allclose(three, 3 * one, rtol=1e-3, atol=1e-4 * np.abs(once[0]).max())


def test_frozen_layers_stay_frozen_and_nothing_left_is_an_error():
    net = start()
    freeze_norm(net.features[0])
    freeze_norm(net.features[1])
    with autograd.record():
        Synchronized(net, LocalComm())(mx.nd.array(batch(0, "float32")[0]))
    mx.nd.waitall()
    means = [p.data().asnumpy() for p in net.collect_params(".*running_mean").values()]
    assert [bool(mean.any()) for mean in means] == [False] + [True] * (len(means) - 1)
    freeze_norm(net)
    with pytest.raises(InputError, match="no BatchNorm to synchronize: of the network's 14 all"):
        Synchronized(net, LocalComm())


RANK = """
import sys
import train
import numpy as np
from tests.train.engine.test_sync_norm import start, steps
from train.engine.comm import make_comm
from train.engine.sync_norm import Synchronized
comm = make_comm()
for dtype, count in (("float64", 3), ("float32", 5)):
    net = start(dtype)
    comm.broadcast(param.data() for param in net.collect_params().values())
    told = steps(Synchronized(net, comm), net, comm, dtype, count)
    np.savez(f"{sys.argv[1]}/{dtype}-{comm.rank}.npz", **told)
comm.shutdown()
"""

DIES = """
import os, signal, sys, threading, time
import train
import mxnet as mx
from tests.train.engine.test_sync_norm import batch, start
from train.engine.comm import make_comm
from train.config.sections import Horovod
from train.engine.sync_norm import Synchronized
comm = make_comm(Horovod(stall_seconds=3))
net = start()
graph = Synchronized(net, comm)
x = mx.nd.array(batch(0, "float32")[0])
def step():
    with mx.autograd.record():
        loss = graph(x).sum()
    loss.backward()
    mx.nd.waitall()
step()
print("first step", flush=True)
if comm.rank == 1:
    if sys.argv[1] == "killed":
        threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGKILL]).start()
    else:
        time.sleep(100)
while True:
    step()
"""


@needs_horovod
def test_two_ranks_train_as_one_process_with_the_whole_batch(tmp_path):
    """In float32 to 1e-5, but in the rare step where rounding turns a ReLU over; in float64 all."""
    done = horovodrun("-c", RANK, str(tmp_path))
    assert done.returncode == 0, done.stderr
    for dtype, count, most in (("float64", 3, 1e-12), ("float32", 5, 1e-5)):
        net = start(dtype)
        one = steps(Synchronized(net, LocalComm()), net, LocalComm(), dtype, count)
        ranks = [np.load(tmp_path / f"{dtype}-{rank}.npz") for rank in range(2)]
        for kind in ("loss", "gradient", "running"):
            off = [worst(ranks[0], one, f"{kind} {step} ") for step in range(count)]
            assert (max(off) if dtype == "float64" else np.median(off)) < most, kind
        assert worst(ranks[0], one, "evaluation") < 1e-3
        for name in one:  # to the bit
            assert np.array_equal(ranks[0][name], ranks[1][name])


@needs_horovod
@pytest.mark.parametrize("how", ["killed", "asleep"])
def test_a_rank_that_is_gone_in_the_middle_of_a_step_ends_the_others(how):
    started = time.monotonic()
    done = horovodrun("-c", DIES, how)
    assert done.returncode != 0
    assert done.stdout.count("first step") == 2
    assert how == "killed" or "error: rank 0 waited 3 s for the other processes" in done.stderr
    assert time.monotonic() - started < 90
