"""Two real Horovod processes against one."""

import json
import os
import shutil
import time

import numpy as np
import pytest

from gluon_glore.weights import load_arrays
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.horovod import horovodrun, needs_horovod, train_in_turn
from tests.helpers.runs import CONFIG, options, rows
from train.config.sections import Horovod
from train.engine.comm import (
    CPU_CYCLE,
    GPU_CYCLE,
    LocalComm,
    environment,
    groups,
    make_comm,
    pieces,
)
from train.imagenet import main


def test_one_process_needs_no_horovod():
    comm = make_comm()
    assert isinstance(comm, LocalComm)
    assert (comm.rank, comm.size) == (0, 1)
    assert comm.sum([1.5, 2]).tolist() == [1.5, 2]


# What two ranks do in one start. Each part makes its own `comm`; Horovod itself begins once.
IN_TURN = """
import os
import train
assert int(os.environ["OMP_NUM_THREADS"]) == max(1, len(os.sched_getaffinity(1)) // 2)
import mxnet as mx
import numpy as np
from gluon_glore import InputError
from train.engine.comm import make_comm
from train.config.optim import Optim
from train.config.sections import Horovod
from train.engine.optimizer import make_optimizer

def primitives():
    comm = make_comm()
    assert comm.size == 2 and comm.rank in (0, 1)
    assert comm.sum([1, 10.0 * comm.rank]).tolist() == [2, 10]
    arrays = [mx.nd.full((3, 2), comm.rank + 0.1), mx.nd.full((1,), comm.rank - 7, dtype="float64")]
    arrays += [mx.nd.full((2**20, 3), comm.rank + number) for number in range(4)]  # several pieces
    for _ in range(50):
        comm.broadcast(arrays[:2])
    comm.broadcast(iter(arrays))
    assert np.array_equal(arrays[0].asnumpy(), np.full((3, 2), 0.1, "float32"))
    assert arrays[1].asscalar() == -7
    for number, array in enumerate(arrays[2:]):
        assert array.shape == (2**20, 3) and (array == number).min().asscalar() == 1
    print("cores", sorted(os.sched_getaffinity(0)))
    print("fine primitives", comm.rank)

def gradients(key, value, tolerance):
    comm = make_comm(Horovod(**{key: value}))
    rng = np.random.RandomState(0)
    shapes = [(40, 30), (7,), (64, 16, 3, 3), (1,), (5, 5)]
    params = {}
    for i, shape in enumerate(shapes):
        param = mx.gluon.Parameter(f"p{i}_weight", shape=shape)
        param.initialize(mx.init.Zero())
        params[param.name] = param
    trainer = comm.trainer(params, make_optimizer(Optim(lr=1.0, momentum=0.0, weight_decay=0.0)))
    for step in range(3):
        for param in params.values():
            mine = [rng.normal(size=param.shape).astype("float32") for rank in range(2)]
            param.before = param.data().asnumpy()
            with mx.autograd.record():
                loss = (param.data() * mx.nd.array(mine[comm.rank])).sum()
            loss.backward()
            param.mean = (mine[0] + mine[1]) / 2 / 4
        trainer.step(4)
        for param in params.values():
            moved = param.before - param.data().asnumpy()
            error = np.abs(moved - param.mean).max() / np.abs(param.mean).max()
            assert error <= max(tolerance, 1e-5), (param.name, error)
            exact = np.allclose(moved, param.mean, rtol=1e-4, atol=1e-6)
            assert exact or key == "compression" and value == "fp16"
    print(f"fine {key}={value}", comm.rank)

def disagree():
    comm = make_comm()
    comm.agree("classes", 10**6)
    try:
        comm.agree("steps of an epoch", 10 + comm.rank)
    except InputError as error:
        print(error)

primitives()
gradients("compression", "none", 0)
gradients("groups", 3, 1e-5)
gradients("compression", "fp16", 2e-3)
disagree()
make_comm().shutdown()
"""

STALL = """
import time
import train
from train.engine.comm import make_comm
from train.config.sections import Horovod
comm = make_comm(Horovod(stall_seconds=3))
for _ in range(2):
    comm.sum([1])
    time.sleep(4)  # computing is not waiting
    comm.sum([1])
print("went on", flush=True)
if comm.rank == 1:
    time.sleep(100)
comm.sum([1])
"""


@pytest.fixture(scope="module")
def in_turn():
    return horovodrun("-c", IN_TURN)


@needs_horovod
def test_ranks_share_the_cores_sum_and_broadcast(in_turn):
    assert in_turn.returncode == 0, in_turn.stderr
    assert "fine primitives 0" in in_turn.stdout and "fine primitives 1" in in_turn.stdout


# Of a command line each, with what is said of it.
REFUSED = {
    "model.name=none": "unknown network 'none'",
    "optim.batch_size=33": "optim.batch_size 33 is not divisible by 2 processes",
    "optim.accumulate=32": "accumulate 32 does not divide the 16 pictures of each of 2 proc",
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, settings):
    """A folder of runs, those of two processes from one start, and what `train_in_turn` returns."""
    folder = tmp_path_factory.mktemp("runs")

    def command(out, *more):
        return ["--config", CONFIG, "--out", str(folder / out), *options(settings, *more)]

    plain = ["model.name=tiny"]
    assert main(command("one", *plain, "optim.epochs=3")) == 0
    shutil.copytree(folder / "one", folder / "two")
    for run in ("one", "two"):
        (folder / run / "metrics.jsonl").unlink()
    frozen = [*plain, "model.freeze_norm=true", "optim.lr=0.01", "optim.epochs=7"]
    resume = ["--resume", "--accept-changes"]
    assert main([*command("one", *frozen), *resume]) == 0
    done = train_in_turn(
        "train.imagenet",
        [*command("two", *frozen), *resume],
        command("resumed", "optim.epochs=1"),
        [*command("resumed"), *resume],
        *(command("refused", setting) for setting in REFUSED),
    )
    return folder, done


@needs_horovod
def test_one_and_two_processes_have_the_same_loss_curve(trained):
    """24 steps of the same global batches, from the same checkpoint.

    BatchNorm would normalise each rank's half batch by itself; here it keeps the running
    statistics of the checkpoint (model.freeze_norm), so that nothing but the order of summation
    differs. The plain network: what its statistics do not fit blows up in a unit's products.
    """
    folder, done = trained
    assert [codes[0] for codes in done.ended] == [0, 0], done.stderr
    curves = [
        np.array([row["loss"] for row in rows(folder / run) if row["kind"] == "train"])
        for run in ("one", "two")
    ]
    assert len(curves[0]) == len(curves[1]) == 24
    assert np.ptp(curves[0]) > 0.01  # it does learn something
    assert np.abs(curves[1] / curves[0] - 1).max() < 1e-3
    for run, processes in (("one", 1), ("two", 2)):
        summary = json.loads((folder / run / "summary.json").read_text())
        assert summary["processes"] == processes
        evaluations = [row for row in rows(folder / run) if row["kind"] == "eval"]
        assert {row["samples"] for row in evaluations} == {70}


@needs_horovod
def test_two_processes_with_batchnorm_train_resume_and_save_averaged_statistics(trained):
    folder, done = trained[0] / "resumed", trained[1]
    assert [codes[1:3] for codes in done.ended] == [[0, 0]] * 2, done.stderr
    assert [path.name for path in checkpoints(folder)] == ["epoch-0001", "epoch-0002"]
    arrays = load_arrays(checkpoints(folder)[-1] / "weights.params")
    assert all(np.isfinite(array.asnumpy()).all() for array in arrays.values())
    assert [row["epoch"] for row in rows(folder) if row["kind"] == "eval"] == [0, 1]


@needs_horovod
def test_an_error_is_said_once_and_ends_all_processes(trained):
    _, done = trained
    assert done.returncode != 0
    assert [codes[3:] for codes in done.ended] == [[2] * len(REFUSED)] * 2
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == len(REFUSED)
    for message, error in zip(REFUSED.values(), errors):
        assert message in error


@needs_horovod
@pytest.mark.parametrize("setting", ["compression=none", "groups=3", "compression=fp16"])
def test_ways_to_exchange_gradients_agree_with_the_mean_over_ranks(in_turn, setting):
    assert in_turn.returncode == 0, in_turn.stderr
    assert f"fine {setting} 0" in in_turn.stdout and f"fine {setting} 1" in in_turn.stdout


@needs_horovod
def test_different_data_ends_all_ranks_with_an_error(in_turn):
    error = "the processes do not agree on the steps of an epoch, here 1"
    assert in_turn.stdout.count(error) == 2, in_turn.stderr


@needs_horovod
def test_a_rank_that_the_others_wait_for_in_vain_ends_all():
    started = time.monotonic()
    done = horovodrun("-c", STALL)
    assert done.returncode != 0
    assert done.stdout.count("went on") == 2
    assert "error: rank 0 waited 3 s for the other processes" in done.stderr
    assert time.monotonic() - started < 90


@needs_horovod
def test_ranks_of_a_host_compute_on_cores_of_their_own(in_turn):
    lines = [line for line in in_turn.stdout.splitlines() if "cores [" in line]
    cores = [json.loads(line.split("cores")[1]) for line in lines]
    assert len(cores) == 2, in_turn.stderr
    if len(os.sched_getaffinity(1)) < 2 or os.sched_getaffinity(0) != os.sched_getaffinity(1):
        pytest.skip("one core, or somebody has chosen the cores")
    assert not set(cores[0]) & set(cores[1])
    assert {*cores[0], *cores[1]} == os.sched_getaffinity(0)


def test_the_configuration_is_what_horovod_reads():
    assert environment(Horovod(fusion_mb=0.5, cycle_ms=2.5), gpus=0) == {
        "HOROVOD_FUSION_THRESHOLD": "524288",
        "HOROVOD_CYCLE_TIME": "2.5",
    }


@pytest.mark.parametrize(("gpus", "cycle"), [(0, CPU_CYCLE), (8, GPU_CYCLE)])
def test_horovods_cycle_is_long_where_it_takes_the_core_from_computing(gpus, cycle):
    assert environment(Horovod(), gpus)["HOROVOD_CYCLE_TIME"] == str(cycle)
    assert environment(Horovod(cycle_ms=3.0), gpus)["HOROVOD_CYCLE_TIME"] == "3.0"


@pytest.mark.parametrize(("gpus", "count"), [(0, 1), (8, 0)])
def test_gradients_are_one_group_where_the_core_that_computes_sends_them(gpus, count):
    assert groups(Horovod(), gpus) == count
    assert groups(Horovod(groups=3), gpus) == 3


def test_pieces_are_whole_arrays_in_order():
    arrays = [np.zeros(size) for size in (3, 4, 1, 9, 2, 2)]
    cut = list(pieces(iter(arrays), 7))
    assert [[array.size for array in piece] for piece in cut] == [[3, 4], [1], [9], [2, 2]]
    assert not list(pieces([], 7))
