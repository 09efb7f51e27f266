"""What plans networks and what every folder uses must load before, and without, MXNet."""

import subprocess
import sys

from tests.helpers.places import ROOT

FOLDERS = ("plan", "utils")
MODULES = [
    f"gluon_glore.{folder}.{file.stem}"
    for folder in FOLDERS
    for file in sorted((ROOT / "gluon_glore" / folder).glob("*.py"))
]
SCRIPT = """
import importlib, sys
sys.modules["mxnet"] = None  # importing it raises ImportError
for name in sys.argv[1:]:
    importlib.import_module(name)
from gluon_glore import InputError, NetSpec, Stage
assert list(NetSpec((Stage(1, 256),)).plan())
"""


def test_plans_and_what_every_folder_uses_need_no_mxnet():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *MODULES], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
