"""What a missing extra leads to, caused by hiding its packages from a process of its own."""

import subprocess
import sys

import pytest

from gluon_glore import InputError
from gluon_glore.utils.extras import require
from tests.helpers.places import ROOT

HIDE = "import sys\nfor name in {hidden}: sys.modules[name] = None\n"
# What needs an extra: its packages, and a statement that uses one of them.
USES = {
    "onnx": (["onnx"], "from gluon_glore.export.onnx_file import import_onnx\nimport_onnx()"),
    "video": (["av"], "from gluon_glore.data.video import Video\nVideo('README.md')"),
    "pytorch": (
        ["torch"],
        "from gluon_glore.convert.pytorch import _load\n_load('network.pth')",
    ),
    "deploy": (["aiohttp"], "import gluon_glore.serving.server"),
}


def test_what_is_there_is_imported():
    assert require("json", "train").dumps([1]) == "[1]"


def test_a_folder_is_no_module(tmp_path, monkeypatch):
    (tmp_path / "nothing_but_a_folder").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="nothing_but_a_folder is not installed"):
        require("nothing_but_a_folder", "train")


@pytest.mark.parametrize("extra", USES)
def test_a_missing_extra_is_one_line_that_names_it(extra):
    hidden, statement = USES[extra]
    script = HIDE.format(hidden=hidden) + (
        f"from gluon_glore import InputError\ntry:\n    exec({statement!r})\n"
        "except InputError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    (line,) = done.stdout.splitlines()
    assert f"{hidden[0]} is not installed: pip install '.[{extra}]'" in line, done.stderr
