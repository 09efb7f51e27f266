import importlib
import subprocess
import sys

import pytest

from gluon_glore import InputError
from gluon_glore.__main__ import main
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import naming
from gluon_glore.utils.extras import how_to_install
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
    told = f"error: mxnet is not installed: {how_to_install('cpu')}\n"
    assert (done.returncode, done.stderr) == (2, told)


def test_another_module_that_is_missing_is_a_fault():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        exit_code(lambda: importlib.import_module("no_such_module"))


def write_much():
    print("x" * 10**6)


def write_in_vain_within_a_file():
    with naming("file.txt"):
        print("x", flush=True)


def refuse_after_writing():
    print("x")
    raise InputError("no such thing")


FULL = "error: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (lambda: print("x"), FULL),  # written at the end alone
        (write_much, FULL),  # more than a buffer
        (write_in_vain_within_a_file, FULL),
        (refuse_after_writing, f"error: no such thing\n{FULL}"),
    ],
)
def test_output_that_cannot_be_written_is_one_line(monkeypatch, capfd, command, told):
    with open("/dev/full", "w") as full:  # closing it writes what is left
        monkeypatch.setattr(sys, "stdout", full)
        assert exit_code(command) == 2
    assert capfd.readouterr().err == told


def test_help_that_cannot_be_written_is_one_line(monkeypatch, capfd):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["list", "--help"]) == 2
    assert capfd.readouterr().err == FULL


def test_another_files_broken_pipe_is_a_fault():
    def command():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        exit_code(command)


def test_output_that_was_closed_is_no_error(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert exit_code(lambda: print("x")) == 0


def test_python_has_nothing_to_add_at_its_end():
    script = (
        "import sys\nfrom gluon_glore.utils.command import exit_code\n"
        "sys.exit(exit_code(lambda: print('x')))"
    )
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (2, FULL)
