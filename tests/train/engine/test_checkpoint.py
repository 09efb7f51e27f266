import os
import resource
import subprocess
import sys

import mxnet as mx
import numpy as np
import pytest

from gluon_glore import InputError, NetSpec, Network, Stage, Stem, get_model
from gluon_glore.weights.manifest import Manifest
from gluon_glore.weights.run_folder import (
    best_checkpoint,
    checkpoint_name,
    checkpoints,
    newest_checkpoint,
    position_of,
)
from tests.helpers.exports import TINY
from tests.helpers.places import ROOT
from tests.helpers.runs import same
from train.engine.checkpoint import momentum_of, restore_newest, save_checkpoint
from train.engine.comm import LocalComm

FILES = ("weights.params", "momentum.params")


def make(seed=0, name="tiny_glore_0_1", momentum=0.9, optimizer=None, dtype="float32"):
    net = Network(name, 2) if isinstance(name, NetSpec) else get_model(name, classes=2)
    mx.random.seed(seed)
    net.initialize()
    net.cast(dtype)
    optimizer = optimizer or mx.optimizer.SGD(momentum=momentum)
    return net, LocalComm().trainer(net.collect_params(), optimizer)


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


def save(run, net, trainer, epoch, keep=2, **more):
    manifest = Manifest("tiny_glore_0_1", ("a", "b"), TINY, epoch, **more)
    save_checkpoint(run, net, trainer, manifest, keep)


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


# As many bytes as tiny_glore_0_1 in a quarter of its arrays, for each array costs a restore time.
FEW_ARRAYS = NetSpec(
    stages=(Stage(1, 160, 1),), stem=Stem(160, 3, 1), in_channels=1, bottleneck=False, name="few"
)

KILLS = """
import os, random, shutil, signal, sys, time

from tests.train.engine.test_checkpoint import FEW_ARRAYS, make, save
from gluon_glore.weights.run_folder import newest_checkpoint
from train.engine.checkpoint import restore_newest
writer, reader = make(name=FEW_ARRAYS), make(name=FEW_ARRAYS, seed=1)
random.seed(0)
for trial in range(100):
    run = os.path.join(sys.argv[1], str(trial))
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        for epoch in range(1, 1000):
            save(run, *writer, epoch)
            os.write(tell, b"x")
    os.close(tell)
    os.read(told, 1)  # the first is whole
    time.sleep(random.uniform(0, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    saved = 1 + len(os.read(told, 1000))
    os.close(told)
    newest = newest_checkpoint(run, print)[1].epoch
    assert newest in (saved, saved + 1), (newest, saved)
    assert restore_newest(run, *reader) == (newest, 0)
    print("amid" if ".writing" in os.listdir(run + "/checkpoints") else "between", flush=True)
    shutil.rmtree(run)
"""


def test_none_of_100_kills_in_a_save_loses_a_checkpoint(tmp_path):
    """A forked process does nothing but save; the newest checkpoint is the last one or the next."""
    done = subprocess.run(
        [sys.executable, "-c", KILLS, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    moments = done.stdout.split()  # a warning of a damaged checkpoint would be among them
    assert len(moments) == 100 and set(moments) <= {"amid", "between"}
    assert moments.count("amid") >= 20


def limited(size):
    """Let this process write files of so many bytes; MXNet sees the same as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("short", [20, 5000, 1000000])
@pytest.mark.parametrize("file", ["weights.params", "momentum.params"])
def test_a_file_that_the_disk_does_not_take_whole_is_an_error(tmp_path, file, short):
    """MXNet itself says nothing where only the last block is lost (20 bytes here)."""
    net, trainer = make()
    save(tmp_path, net, trainer, 1)
    files = {f: (tmp_path / "checkpoints/epoch-0001" / f).stat().st_size for f in FILES}
    release = limited(files[file] - short)
    try:
        with pytest.raises(InputError, match="could not be written, .* MiB are free there"):
            save(tmp_path, net, trainer, 2)
    finally:
        release()
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch-0001"]
    assert restore_newest(tmp_path, *make(seed=1)) == (1, 0)
    save(tmp_path, net, trainer, 2)
    assert restore_newest(tmp_path, *make(seed=1)) == (2, 0)


def test_checkpoints_come_in_the_order_of_their_steps(tmp_path):
    places = [(0, 9), (0, 1000000), (1, 0), (1, 2), (9999, 0), (10000, 0), (10000, 1)]
    for epoch, step in reversed(places):
        (tmp_path / "checkpoints" / checkpoint_name(epoch, step)).mkdir(parents=True)
    (tmp_path / "checkpoints" / "epoch-0001-copy").mkdir()
    (tmp_path / "checkpoints" / ".writing").mkdir()
    assert [position_of(folder) for folder in checkpoints(tmp_path)] == places


def test_the_best_stays_beside_the_newest(tmp_path):
    net, trainer = make()
    for epoch, score in enumerate([0.5, 0.8, 0.7, 0.8, None, 0.1], start=1):
        save(tmp_path, net, trainer, epoch, score=score)
    names = [path.name for path in checkpoints(tmp_path)]
    assert names == ["epoch-0002", "epoch-0005", "epoch-0006"]
    assert best_checkpoint(tmp_path).name == "epoch-0002"


def test_the_best_of_a_run_from_before_scores_had_their_name_is_known(tmp_path):
    net, trainer = make()
    for epoch, score in ((1, 0.75), (2, 0.5)):
        save(tmp_path, net, trainer, epoch, score=score)
        manifest = tmp_path / "checkpoints" / checkpoint_name(epoch) / "manifest.yaml"
        manifest.write_text(manifest.read_text().replace("score:", "top1:"))
    save(tmp_path, net, trainer, 3, score=0.625)
    save(tmp_path, net, trainer, 4)
    assert [path.name for path in checkpoints(tmp_path)][0] == "epoch-0001"
    assert best_checkpoint(tmp_path).name == "epoch-0001"


def test_a_damaged_newest_checkpoint_gives_way_to_what_is_saved_after_it(tmp_path):
    """Were it counted, it would push the good ones out, and take the place of its successor."""
    net, trainer = make()
    for epoch, step in ((1, 0), (1, 5), (2, 0)):
        save(tmp_path, net, trainer, epoch, step=step, keep=3)
    for name in ("epoch-0001-step-000005", "epoch-0002"):
        (tmp_path / "checkpoints" / name / "weights.params").write_bytes(b"")
    assert restore_newest(tmp_path, net, trainer) == (1, 0)
    save(tmp_path, net, trainer, 1, step=5, keep=1)
    assert restore_newest(tmp_path, net, trainer) == (1, 5)
    assert [path.name for path in checkpoints(tmp_path)] == ["epoch-0001-step-000005"]


def test_what_a_kill_left_behind_is_cleared_by_the_next_save(tmp_path):
    for name in (".writing", ".removing-epoch-0001"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        (tmp_path / "checkpoints" / name / "weights.params").write_bytes(b"half")
    save(tmp_path, *make(), 2)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch-0002"]


def test_a_place_within_an_epoch_needs_the_same_order_of_pictures(tmp_path):
    ours, theirs = {"seed": 0, "batch_size": 32}, {"seed": 0, "batch_size": 16}
    net, trainer = make()
    save(tmp_path, net, trainer, 1, order=ours)
    assert restore_newest(tmp_path, net, trainer, theirs) == (1, 0)
    save(tmp_path, net, trainer, 1, step=3, order=ours)
    assert restore_newest(tmp_path, net, trainer, ours) == (1, 3)
    with pytest.raises(InputError, match="an epoch of seed 0, batch_size 32, given .*_size 16"):
        restore_newest(tmp_path, net, trainer, theirs)


def test_adam_with_two_states_and_a_count_of_steps_goes_on_bit_equal(tmp_path):
    net, trainer = make(optimizer=mx.optimizer.Adam(learning_rate=0.01))
    for _ in range(2):
        step(net, trainer)
    save(tmp_path, net, trainer, 2)
    again = make(seed=1, optimizer=mx.optimizer.Adam(learning_rate=0.01))
    restore_newest(tmp_path, *again)
    step(net, trainer)
    step(*again)
    assert same(state(*again), state(net, trainer))


def test_the_float32_copy_of_float16_weights_comes_back(tmp_path):
    def fresh(seed):
        mixed = mx.optimizer.SGD(momentum=0.9, multi_precision=True)
        return make(seed, "tiny", dtype="float16", optimizer=mixed)

    net, trainer = fresh(0)
    for array in momentum_of(trainer).values():
        array[:] = mx.nd.random.normal(shape=array.shape)
    save(tmp_path, net, trainer, 1)
    again = fresh(1)
    restore_newest(tmp_path, *again)
    states = state(*again)
    assert any(k.endswith(":1") and v.dtype == np.float32 for k, v in states.items())
    assert same(states, state(net, trainer))
