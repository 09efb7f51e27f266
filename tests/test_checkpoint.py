import os
import signal
import subprocess
import sys
import time

import mxnet as mx
import numpy as np
import pytest
from conftest import ROOT
from test_export import TINY

from gluon_glore import InputError, get_model
from gluon_glore.manifest import Manifest, checkpoints, newest_checkpoint
from train.checkpoint import momentum_of, restore_newest, save_checkpoint
from train.comm import LocalComm


def make(seed=0, name="tiny_glore_0_1", momentum=0.9):
    net = get_model(name, classes=2)
    mx.random.seed(seed)
    net.initialize()
    trainer = LocalComm().trainer(net.collect_params(), mx.optimizer.SGD(momentum=momentum))
    return net, trainer


def step(net, trainer):
    x = mx.nd.array(np.random.RandomState(0).normal(size=(4, 1, 64, 64)))
    with mx.autograd.record():
        loss = (net(x) ** 2).sum()
    loss.backward()
    trainer.step(4)


def state(net, trainer):
    values = {name: param.data().asnumpy() for name, param in net.collect_params().items()}
    momentum = {f"momentum:{k}": v.asnumpy() for k, v in momentum_of(trainer).items()}
    return {**values, **momentum}


def save(run, net, trainer, epoch):
    save_checkpoint(run, net, trainer, Manifest("tiny_glore_0_1", ("a", "b"), TINY, epoch))


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_weights_and_momentum_come_back_bit_equal(tmp_path):
    net, trainer = make()
    step(net, trainer)
    save(tmp_path, net, trainer, 1)
    again = make(seed=1)
    assert not same(state(*again), state(net, trainer))
    assert restore_newest(tmp_path, *again) == (1, 0)
    assert same(state(*again), state(net, trainer))
    step(net, trainer)
    step(*again)
    assert same(state(*again), state(net, trainer))


def test_only_the_newest_checkpoints_stay(tmp_path):
    net, trainer = make()
    for epoch in (1, 2, 3):
        save(tmp_path, net, trainer, epoch)
    assert [path.name for path in checkpoints(tmp_path)] == ["epoch-0002", "epoch-0003"]


@pytest.mark.parametrize("file", ["weights.params", "momentum.params", "manifest.yaml"])
@pytest.mark.parametrize("harm", ["truncate", "flip", "remove"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(tmp_path, file, harm, capsys):
    net, trainer = make()
    for epoch in (1, 2):
        save(tmp_path, net, trainer, epoch)
    path = tmp_path / "checkpoints" / "epoch-0002" / file
    data = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    elif harm == "truncate":
        path.write_bytes(data[: len(data) // 3])
    else:
        data[5] ^= 0x80
        path.write_bytes(data)
    assert restore_newest(tmp_path, *make(seed=1)) == (1, 0)
    assert f"epoch-0002/{file}" in capsys.readouterr().err


def test_checkpoints_of_another_network_or_optimizer_are_refused(tmp_path):
    with pytest.raises(InputError, match="no checkpoint in it"):
        newest_checkpoint(tmp_path, print)
    save(tmp_path, *make(), 1)
    with pytest.raises(InputError, match="conv4_B01_extra_.* is not in the network"):
        restore_newest(tmp_path, *make(name="tiny"))
    with pytest.raises(InputError, match="momentum of another optimizer"):
        restore_newest(tmp_path, *make(momentum=0.0))


WRITER = """
import sys
sys.path.insert(0, "tests")
from test_checkpoint import make, save
net, trainer = make()
print("ready", flush=True)
for epoch in range(1, 10000):
    save(sys.argv[1], net, trainer, epoch)
"""


def test_a_kill_in_the_middle_of_saving_loses_nothing(tmp_path):
    """Ten kills at different moments of a process that does nothing but save."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for trial in range(10):
        run = tmp_path / str(trial)
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(run)],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
        )
        writer.stdout.readline()
        while not checkpoints(run):
            time.sleep(0.01)
        time.sleep(0.013 * trial)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        warnings = []
        path, manifest = newest_checkpoint(run, warnings.append)
        assert not warnings
        assert path == checkpoints(run)[-1]
        assert restore_newest(run, *make(seed=1)) == (manifest.epoch, 0)
