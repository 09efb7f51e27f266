import importlib
import subprocess
import sys

import pytest

from gluon_glore import InputError
from gluon_glore.utils.command import exit_code
from tests.helpers.places import ROOT


def refused():
    raise InputError("no such thing")


def interrupted():
    raise KeyboardInterrupt


def test_the_exit_code_is_what_the_command_gives(capsys):
    assert exit_code(lambda: None) == 0
    assert exit_code(lambda: 75) == 75
    assert exit_code(interrupted) == 130
    assert exit_code(refused) == 2
    assert capsys.readouterr() == ("", "error: no such thing\n")


def test_of_several_processes_one_tells_the_error(capsys):
    assert exit_code(refused, tells=lambda error: False) == 2
    assert capsys.readouterr().err == ""


def test_a_fault_of_the_program_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 / 0)


def test_a_reader_that_has_seen_enough_is_no_error():
    script = (
        "import sys\nfrom gluon_glore.utils.command import exit_code\n"
        "sys.exit(exit_code(lambda: print('x\\n' * 10**6)))"
    )
    command = f"'{sys.executable}' -c \"$1\" | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command, "bash", script], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "x\n", "")


def test_mxnet_that_is_missing_is_one_line_that_names_the_extra():
    script = (
        "import sys\nsys.modules['mxnet'] = None  # importing it raises ModuleNotFoundError\n"
        "from gluon_glore.utils.command import exit_code\n"
        "def command():\n    import mxnet\n"
        "sys.exit(exit_code(command))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    told = "error: mxnet is not installed: pip install '.[cpu]' from a checkout of gluon-glore\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_another_module_that_is_missing_is_a_fault():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        exit_code(lambda: importlib.import_module("no_such_module"))
