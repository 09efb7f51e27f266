"""What ends the process that tries a runtime is told, and the next runtime is tried."""

import os

import pytest

from gluon_glore.export import export_model, trial
from gluon_glore.export.files import read_files
from gluon_glore.weights.manifest import read_manifest
from tests.helpers.exports import exported

pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")

# What stands in a runtime's place does as its native code may: {case: (runtime, code, problem)}.
MMAP = """
import mmap
lines = open("/proc/meminfo").read().splitlines()
left = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
mmap.mmap(-1, left * 1024, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # of which nothing is touched
"""
HANDLED = """
import os, signal, time
signal.signal(signal.SIGSEGV, signal.SIG_IGN)  # MXNet handles it, too
def __getattr__(name):
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AttributeError(name)
"""
DEATHS = {
    "crash": ("openvino", "import ctypes; ctypes.string_at(0)", "its process ended by SIGSEGV"),
    "memory": ("openvino", MMAP, "openvino can't load it: [Errno 12] Cannot allocate memory"),
    "handled": ("mxnet", HANDLED, "its process ended by SIGSEGV"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    place = tmp_path_factory.mktemp("trial")
    net = exported(place / "plain")
    return read_files(export_model(net, place / "out", read_manifest(place / "plain"), onnx=True))


def put_in(monkeypatch, folder, runtime, code):
    (folder / f"{runtime}.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *trial.sys.path]))


@pytest.mark.parametrize("death", DEATHS)
def test_what_a_runtime_died_of_is_told_and_the_next_one_runs(files, tmp_path, monkeypatch, death):
    runtime, code, problem = DEATHS[death]
    put_in(monkeypatch, tmp_path, runtime, code)
    bad, good = trial.trials(files, [runtime, "onnxruntime"])
    assert bad[:2] == (runtime, {})
    assert problem in bad[2]
    name, figures, problem = good
    assert (name, problem) == ("onnxruntime", "")
    assert figures["error"] < 1e-4


def test_a_runtime_that_does_not_end_is_ended(files, tmp_path, monkeypatch):
    put_in(monkeypatch, tmp_path, "openvino", "import time; time.sleep(600)")
    monkeypatch.setattr(trial, "SECONDS", 3)
    expected = ("openvino", {}, "did not give the golden pair within 3 s")
    assert list(trial.trials(files, ["openvino"])) == [expected]
