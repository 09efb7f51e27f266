"""What launchers say of a process, beside what Horovod says."""

import os
import subprocess
import sys

import pytest

from gluon_glore import InputError
from tests.helpers.places import ROOT
from tests.helpers.runs import CONFIG
from train.engine.comm import make_comm
from train.engine.launchers import LAUNCHERS, check_launchers, claims
from train.engine.scoring import score


def two(launcher):
    """The environment of the second of two processes of a launcher."""
    size = {launcher.size: "2"} if launcher.size else {}
    return {**size, launcher.rank: "1"}


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda row: row.size or row.rank)
def test_processes_that_horovod_does_not_know_are_refused_and_those_it_knows_are_not(launcher):
    with pytest.raises(InputError, match=launcher.name) as caught:
        check_launchers(two(launcher), 1, 0)
    message = str(caught.value)
    assert f"{launcher.size or launcher.rank} says " in message and "\n" not in message
    assert f"horovodrun -np {2 if launcher.size else 'N'} python -m train." in message
    check_launchers(two(launcher), 2, 1)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"OMPI_COMM_WORLD_SIZE": "2"}, "SIZE says 2 processes, Horovod knows of 1: "),
        ({"PMI_SIZE": " 16 ", "PMI_RANK": "0"}, "horovodrun -np 16 python"),
        ({"PMIX_RANK": "1"}, "PMIX_RANK says rank 1, Horovod knows of rank 0: "),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "0", "SLURM_STEP_ID": "0"}, "SLURM_NTASKS says 4"),
        ({"SLURM_NTASKS": "4", "SLURM_PROCID": "3"}, "SLURM_NTASKS says 4"),
        ({"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}, "torchrun"),
    ],
)
def test_the_variable_and_both_numbers_are_named(environ, message):
    with pytest.raises(InputError) as caught:
        check_launchers(environ, 1, 0)
    assert message in str(caught.value)


# Environments of processes that are alone, or that horovodrun started: (environment, size, rank).
FINE = {
    "nothing": ({}, 1, 0),
    "mpirun -np 1": ({"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"}, 1, 0),
    "horovodrun in mpirun -np 1": (
        {"OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0", "PMIX_RANK": "0"},
        2,
        1,
    ),
    "a batch script": ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, 1, 0),
    "horovodrun in a batch script": ({"SLURM_NTASKS": "8", "SLURM_PROCID": "0"}, 2, 1),
    "a batch script's step": (
        {"SLURM_NTASKS": "8", "SLURM_PROCID": "0", "SLURM_STEP_ID": "4294967291"},
        2,
        1,
    ),
    "horovodrun in salloc": ({"SLURM_NTASKS": "8"}, 2, 1),
    "horovodrun in salloc's interactive step": (
        {
            "SLURM_NTASKS": "8",
            "SLURM_PROCID": "0",
            "SLURM_STEP_ID": "4294967290",
            "SLURM_STEP_NUM_TASKS": "1",
        },
        2,
        1,
    ),
    "horovodrun in srun -n 1 of a larger allocation": (
        {
            "SLURM_NTASKS": "8",
            "SLURM_PROCID": "0",
            "SLURM_STEP_ID": "0",
            "SLURM_STEP_NUM_TASKS": "1",
        },
        2,
        1,
    ),
    # Open MPI starts a daemon a host by srun, whose variables its processes inherit.
    "mpirun of a Horovod with MPI, in Slurm": (
        {
            "OMPI_COMM_WORLD_SIZE": "8",
            "OMPI_COMM_WORLD_RANK": "5",
            "SLURM_STEP_NUM_TASKS": "2",
            "SLURM_PROCID": "1",
        },
        8,
        5,
    ),
    "names that are used for other things": ({"WORLD_SIZE": "8"}, 1, 0),
    "a rank alone of that kind": ({"RANK": "3"}, 1, 0),
}


@pytest.mark.parametrize("name", FINE)
def test_no_false_alarm(name):
    check_launchers(*FINE[name])


@pytest.mark.parametrize("text", ["", "two", "-2", "2.0", "²", "0"])
def test_a_variable_that_is_no_number_says_nothing(text):
    assert claims({"OMPI_COMM_WORLD_SIZE": text, "PMI_SIZE": text, "PMIX_RANK": text}) == []


def test_every_process_of_several_horovodruns_around_each_other_is_not_taken_for_one_run():
    """`mpirun -np 2 horovodrun -np 2`: in each of the two runs one rank refuses."""
    for outer in (0, 1):
        environ = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": str(outer)}
        with pytest.raises(InputError, match=f"rank {outer}, Horovod knows of rank {1 - outer}"):
            check_launchers(environ, 2, 1 - outer)


def test_the_trainers_and_evaluations_refuse_before_anything_is_written(tmp_path, monkeypatch):
    """Horovod itself, as it is built here, is asked: this process is not alone to its launcher."""
    monkeypatch.setenv("PMIX_RANK", "1")
    with pytest.raises(InputError, match="PMIX_RANK says rank 1"):
        make_comm()
    assert score(lambda: (None, None, None), str(tmp_path / "result.json")) == 2
    out = tmp_path / "run"
    done = subprocess.run(
        [sys.executable, "-m", "train.imagenet", "--config", CONFIG, "--out", str(out)],
        cwd=ROOT,
        env={**os.environ, "PMIX_RANK": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: PMIX_RANK says rank 1")
    assert not list(tmp_path.iterdir())
