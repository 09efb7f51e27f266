"""What a missing extra leads to, caused by hiding its package from a process of its own."""

import subprocess
import sys

import pytest

from gluon_glore import InputError
from gluon_glore.utils.extras import how_to_install, require
from tests.helpers.places import ROOT

HINT = r"pip install '\.\[train\]' from a checkout of gluon-glore"
# What needs an extra: one of its packages, and a statement that uses it.
USES = {
    "onnx": ("onnx", "from gluon_glore.export.onnx_file import import_onnx\nimport_onnx()"),
    "video": ("av", "from gluon_glore.data.video import Video\nVideo('README.md')"),
    "pytorch": (
        "torch",
        "from gluon_glore.weights.pytorch_file import _load\n_load('network.pth')",
    ),
    "deploy": ("aiohttp", "import gluon_glore.serving.server"),
}
SCRIPT = """
import sys
hidden, statement = sys.argv[1:]
sys.modules[hidden] = None  # as if it were not installed
from gluon_glore import InputError
try:
    exec(statement)
except InputError as error:
    print(error)
"""


def test_a_package_that_is_there_is_not_imported():
    before = set(sys.modules)
    require("wave", "train")
    assert "wave" not in set(sys.modules) - before


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch):
    with pytest.raises(InputError, match=f"^no_such_package is not installed: {HINT}$"):
        require("no_such_package", "train")
    monkeypatch.setitem(sys.modules, "wave", None)  # as where its import is blocked
    with pytest.raises(InputError, match=f"^sounds needs the package wave: {HINT}$"):
        require("wave", "train", "sounds")


def test_what_a_python_has_no_mxnet_for_is_said():
    told = "pip install '.[cpu,deploy]' from a checkout of gluon-glore"
    assert how_to_install("cpu,deploy", (3, 9)) == how_to_install("cpu,deploy", (3, 11, 9)) == told
    assert how_to_install("cpu,deploy", (3, 13)) == f"{told}, with Python 3.11"
    assert "Python" not in how_to_install("deploy", (3, 13))


def test_a_folder_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "nothing_but_a_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="nothing_but_a_folder is not installed"):
        require("nothing_but_a_folder", "train")


@pytest.mark.parametrize("extra", USES)
def test_what_needs_an_extra_says_so_in_one_line(extra):
    hidden, statement = USES[extra]
    command = [sys.executable, "-c", SCRIPT, hidden, statement]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    (line,) = done.stdout.splitlines()
    assert f"{hidden} is not installed: pip install '.[{extra}]'" in line, done.stderr


def test_trainers_without_mxnet_say_so_in_one_line():
    script = (
        "import runpy, sys\nsys.modules['mxnet'] = None\n"
        "runpy.run_module('train.imagenet', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    told = f"error: mxnet is not installed: {how_to_install('cpu')}\n"
    assert (done.returncode, done.stderr) == (2, told)
