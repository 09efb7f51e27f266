"""tools/setup.sh says in one line what a machine lacks, before it installs anything."""

import os
import re
import shutil
import subprocess
import sys
import types

import pytest
from packaging.specifiers import SpecifierSet

from gluon_glore.utils.extras import MXNET_PYTHON
from tests.helpers.places import ROOT

TOOLS = ("bash", "dirname", "tail", "uname", "c++", "make", "cmake")


def setup(tmp_path, without=(), **environment):
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for tool in set(TOOLS) - set(without):
        found = shutil.which(tool)
        if found is None:
            pytest.skip(f"{tool} is not on this machine")
        (binaries / tool).symlink_to(found)
    done = subprocess.run(
        ["bash", str(ROOT / "tools/setup.sh"), str(tmp_path / "venv")],
        env={"PATH": str(binaries), "HOME": os.environ["HOME"], **environment},
        capture_output=True,
        text=True,
    )
    assert not (tmp_path / "venv").exists()
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


def test_no_fitting_python(tmp_path):
    assert "Python 3.11 needed" in setup(tmp_path)


def test_the_setup_takes_the_last_python_that_mxnet_has_a_numpy_for():
    (fits,) = re.findall(r"^fits\(\).* -c '(.*?)'", (ROOT / "tools/setup.sh").read_text(), re.M)
    (line,) = re.findall('^requires-python = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)
    for minor in range(8, 15):
        version = types.SimpleNamespace(version_info=(3, minor, 1))
        taken = not exit_code(fits.replace("import sys; ", ""), version)
        assert taken == ((3, minor) == MXNET_PYTHON), minor
        assert not taken or f"3.{minor}.1" in SpecifierSet(line)


def exit_code(statement, version):
    """What `sys.exit(...)` is called with where Python has a `version`."""
    version.exit = lambda code: code
    return eval(statement, {"sys": version})


def test_a_python_that_does_not_fit(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.12.1\nexit 1\n')
    python.chmod(0o755)
    assert "found Python 3.12.1" in setup(tmp_path, PYTHON=str(python))


@pytest.mark.skipif(sys.version_info[:2] != MXNET_PYTHON, reason="a Python that does not fit")
@pytest.mark.parametrize("tool", ["c++", "cmake"])
def test_no_compiler_or_cmake(tmp_path, tool):
    message = setup(tmp_path, without=[tool], PYTHON=sys.executable)
    assert message.startswith(f"setup: {tool} needed to build Horovod")


def test_make_leaves_the_users_python_to_the_setup(tmp_path):
    (tmp_path / "show.mk").write_text(f'include {ROOT}/Makefile\nshow:\n\t@echo "$$PYTHON"\n')
    command = ["make", "--silent", "-f", str(tmp_path / "show.mk"), "show"]
    environment = {**os.environ, "PYTHON": "/opt/mine"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "/opt/mine\n", done.stderr


def test_the_setup_says_first_what_it_fetches(tmp_path):
    # A Python that fits and can't make a virtual environment ends it right behind that line.
    python = tmp_path / "python"
    python.write_text(
        '#!/bin/sh\ncase "$1" in -c) exit;; --version) echo Python 3.11.0;; *) exit 3;; esac\n'
    )
    python.chmod(0o755)
    done = subprocess.run(
        ["bash", str(ROOT / "tools/setup.sh"), str(tmp_path / "venv")],
        env={**os.environ, "PYTHON": str(python)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3
    (line,) = done.stdout.splitlines()
    assert re.search(r"; fetches about \d+ MB, takes [\d.]+ GB of disk$", line)


def test_make_ends_with_the_line_that_activates_the_environment(tmp_path):
    (tmp_path / ".ready").touch()
    command = ["make", "--no-print-directory", "--silent", f"VENV={tmp_path}", "setup"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1].endswith(f". {tmp_path}/bin/activate"), done.stderr
    command = ["make", "--no-print-directory", "--dry-run", f"VENV={tmp_path}", "train"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert f". {tmp_path}/bin/activate" in done.stdout.splitlines()[-1], done.stderr
