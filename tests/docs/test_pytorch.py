"""The Python example of docs/pytorch.md runs where PyTorch is installed."""

import os
import subprocess
import sys

import pytest

from tests.docs.docs_world import BLOCK
from tests.helpers.places import ROOT


def test_the_example_of_the_page_runs(tmp_path):
    pytest.importorskip("torch", reason="needs torch")
    page = (ROOT / "docs/pytorch.md").read_text(encoding="utf-8")
    (block,) = [match for match in BLOCK.finditer(page) if match["language"] == "python"]
    assert block["what"] == "PyTorch"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLORE_HOME": str(tmp_path / "root")}
    command = [sys.executable, "-c", block["text"]]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
