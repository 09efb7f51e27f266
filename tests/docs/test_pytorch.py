"""The Python examples of docs/pytorch.md run where PyTorch is installed."""

import os
import subprocess
import sys

import pytest

from tests.docs.docs_world import BLOCK
from tests.helpers.places import ROOT


def test_the_examples_of_the_page_run(tmp_path):
    pytest.importorskip("torch", reason="needs torch")
    page = (ROOT / "docs/pytorch.md").read_text(encoding="utf-8")
    blocks = [match for match in BLOCK.finditer(page) if match["language"] == "python"]
    assert len(blocks) == 2 and all(match["what"] == "PyTorch" for match in blocks)
    program = "\n".join(match["text"] for match in blocks)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "GLORE_HOME": str(tmp_path / "root")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
