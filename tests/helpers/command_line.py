"""The command line, run in this process or refused."""

import os
import subprocess
import sys
from pathlib import Path

from tests.helpers.places import ROOT


def run(*arguments):
    """The command line in a process of its own: (exit code, stdout, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", "gluon_glore", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stdout, done.stderr


def refused(main, arguments, capsys):
    """The one error of a packing command, `main`, that leaves nothing in the folder "out"."""
    source, *options = arguments
    assert main([source, "out/x", *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    (error,) = [line for line in lines if line.startswith("error: ")]
    assert not list(Path("out").glob("*"))
    return error
