"""Processes of Horovod."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.helpers.places import ROOT

INSTALLED = shutil.which("horovodrun", path=os.path.dirname(sys.executable))
HOROVODRUN = [sys.executable, "-m", "tests.helpers.horovodrun"]  # for a start in half the time

needs_horovod = pytest.mark.skipif(INSTALLED is None, reason="horovodrun is not installed")


def train_in_turn(module, *command_lines, processes=2):
    """Run trainings of a module in the same ranks, one after the other, see `ranks.py`."""
    return horovodrun(
        "-m", "tests.helpers.ranks", module, json.dumps(command_lines), processes=processes
    )


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
