"""A run's folder is held by one process; the others are real ones."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from gluon_glore import InputError
from tests.helpers.places import ROOT
from train.engine import run_lock as module
from train.engine.run_lock import LOCK_FILE, run_lock

# Holds a folder until its input ends. The module alone: MXNet would take seconds.
HOLDER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("run_lock", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with module.run_lock(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds tmp_path/run."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, module.__file__, str(tmp_path / "run")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_refused_by_name_and_disturbs_nothing(tmp_path, holder):
    for _ in range(2):
        with pytest.raises(InputError) as caught, run_lock(tmp_path / "run"):
            pass
        message = str(caught.value)
        assert f"run: another run goes on in it, process {holder.pid} on " in message
        assert " since 20" in message and "another --out" in message and "\n" not in message
    assert (tmp_path / "run" / LOCK_FILE).read_text().startswith(f"process {holder.pid} ")


def test_a_process_that_was_killed_holds_nothing(tmp_path, holder, capsys):
    holder.kill()
    holder.wait()
    assert (tmp_path / "run" / LOCK_FILE).exists()
    with run_lock(tmp_path / "run"):
        text = (tmp_path / "run" / LOCK_FILE).read_text()
        assert text.startswith(f"process {os.getpid()} on ") and text.count("\n") == 1
    assert capsys.readouterr().err == ""


def test_a_process_that_ends_leaves_nothing(tmp_path, holder):
    holder.communicate()
    assert holder.returncode == 0
    assert list(tmp_path.iterdir()) == []  # it had made the folder, and nothing came into it


def test_the_lock_is_released_by_an_error_too_and_keeps_a_folder_that_is_used(tmp_path):
    for number in range(2):
        with pytest.raises(KeyError), run_lock(tmp_path / "a" / "run"):
            (tmp_path / "a" / "run" / str(number)).write_text("")
            raise KeyError
    assert sorted(path.name for path in (tmp_path / "a" / "run").iterdir()) == ["0", "1"]


def test_two_locks_of_one_process_exclude_each_other(tmp_path):
    with run_lock(tmp_path), pytest.raises(InputError), run_lock(tmp_path):
        pass


def test_a_file_that_its_holder_deletes_meanwhile_is_not_what_is_held(tmp_path, monkeypatch):
    """Between opening and locking the holder ends, and a third process makes a file of its own."""
    real, calls = fcntl.flock, []

    def flock(file, how):
        calls.append(how)
        if len(calls) == 1:
            (tmp_path / LOCK_FILE).unlink()
        real(file, how)

    monkeypatch.setattr(module.fcntl, "flock", flock)
    with run_lock(tmp_path):
        assert len(calls) == 2
        with pytest.raises(InputError, match=f"process {os.getpid()} on "), run_lock(tmp_path):
            pass


@pytest.mark.parametrize("number", sorted(module.WITHOUT_LOCKS))
def test_a_file_system_without_locks_is_said_and_the_run_goes_on(
    tmp_path, number, monkeypatch, capsys
):
    def flock(file, how):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module.fcntl, "flock", flock)
    (tmp_path / LOCK_FILE).write_text("process 7 on there since 2026-11-30 06:00:00 UTC\n")
    with run_lock(tmp_path):
        assert (tmp_path / LOCK_FILE).read_text().startswith(f"process {os.getpid()} on ")
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith(f"warning: {tmp_path}: a second run may go unnoticed, no locks on its")
    assert os.strerror(number) in said and "killed: process 7 on there since" in said


def test_a_run_of_another_host_that_seems_to_have_ended_is_said(tmp_path, capsys):
    (tmp_path / LOCK_FILE).write_text("process 7 on there since 2026-11-30 06:00:00 UTC\n")
    with run_lock(tmp_path):
        pass
    (said,) = capsys.readouterr().err.splitlines()
    assert "locks to other hosts" in said and "process 7 on there since" in said


def test_what_the_system_refuses_is_an_error(tmp_path, monkeypatch):
    def flock(file, how):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"), run_lock(tmp_path / "file"):
        pass
    monkeypatch.setattr(module.fcntl, "flock", flock)
    with pytest.raises(InputError, match="Input/output error"), run_lock(tmp_path):
        pass
