"""Processes of Horovod."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

from tests.helpers.places import ROOT
from tests.helpers.ranks import ended, said

INSTALLED = shutil.which("horovodrun", path=os.path.dirname(sys.executable))
HOROVODRUN = [sys.executable, "-m", "tests.helpers.horovodrun"]  # for a start in half the time

needs_horovod = pytest.mark.skipif(INSTALLED is None, reason="horovodrun is not installed")


def train_in_turn(module, *command_lines, processes=2):
    """Run trainings of a module in the same ranks, one after the other, see `ranks.py`.

    Beside what `horovodrun` returns it has `ended`, the exit codes of each rank, and `said`, what
    all ranks wrote to stderr in each training.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = horovodrun(
            *("-m", "tests.helpers.ranks", module, folder, json.dumps(command_lines)),
            processes=processes,
        )
        ranks = range(processes)
        done.ended = [json.loads(_read(ended(folder, rank)) or "[]") for rank in ranks]
        done.said = [
            "".join(_read(said(folder, number, rank)) for rank in ranks)
            for number in range(len(command_lines))
        ]
    return done


def _read(path):
    """A file's text, none of a rank that never came to it."""
    return path.read_text() if path.exists() else ""


def horovodrun(*arguments, processes=2):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    return subprocess.run(
        [*HOROVODRUN, "-np", str(processes), sys.executable, *arguments],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": f"{ROOT}"},
        capture_output=True,
        text=True,
        timeout=300,
    )
