import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.export import export_model
from gluon_glore.export.check import check
from gluon_glore.export.files import read_files
from gluon_glore.export.runtimes import RUNTIMES, default_threads, load_runtime, usable
from gluon_glore.weights.manifest import read_manifest
from tests.helpers.exports import exported
from tests.helpers.places import ROOT
from tests.helpers.threads import in_threads

TORCH = bool(importlib.util.find_spec("torch"))
X = np.random.RandomState(3).normal(size=(2, 1, 64, 64)).astype("float32")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("runtimes")
    net = exported(place / "plain")
    manifest = read_manifest(place / "plain")
    return export_model(net, place / "out", manifest, onnx=True, pytorch=TORCH)


@pytest.fixture(params=RUNTIMES)
def name(request):
    """Each runtime that is installed."""
    pytest.importorskip(RUNTIMES[request.param].package)
    return request.param


def test_the_best_runtime_there_is_is_taken(folder):
    pytest.importorskip("openvino")
    everywhere = ["openvino", "onnxruntime", "mxnet"]
    assert usable(read_files(folder)) == everywhere + ["pytorch"] * TORCH
    assert list(RUNTIMES) == [*everywhere, "pytorch"]
    assert load_runtime(folder).name == "openvino"
    assert load_runtime(folder.parent / "plain").name == "mxnet"  # it has no ONNX


def test_wrong_runtimes_are_refused(folder, monkeypatch):
    with pytest.raises(InputError, match="unknown runtime 'tensorrt', known: openvino, onnx"):
        load_runtime(folder, "tensorrt")
    with pytest.raises(InputError, match=r"needs tiny_glore_0_1.onnx: export with --onnx"):
        load_runtime(folder.parent / "plain", "onnxruntime")
    monkeypatch.setattr(RUNTIMES["openvino"], "package", "package_that_is_not_there")
    assert load_runtime(folder).name == "onnxruntime"
    with pytest.raises(InputError, match="openvino is not installed"):
        load_runtime(folder, "openvino")


def test_without_any_runtime_the_message_says_what_to_install(folder, monkeypatch):
    for runtime in RUNTIMES.values():
        monkeypatch.setattr(runtime, "package", "package_that_is_not_there")
    extras = "cpu,deploy" + ",pytorch" * TORCH
    message = rf"nothing that runs it is installed: pip install '\.\[{extras}\]'"
    with pytest.raises(InputError, match=message):
        load_runtime(folder)
    with pytest.raises(InputError, match="nothing that runs it is installed"):
        check(folder)


def test_batches_of_any_size_come_in_any_order(folder, name):
    runtime = load_runtime(folder, name, threads=1)
    expected = runtime(X)
    assert expected.dtype == np.float32
    for rows in ([0], [0, 1, 0, 1, 1], [1], [0, 1]):
        assert np.abs(runtime(X[rows]) - expected[rows]).max() < 1e-4
    assert np.array_equal(runtime(X), expected)  # earlier results are not overwritten


def test_first_calls_of_many_threads_give_what_one_gets(folder, name):
    batches = [X[[i % 2]] + i for i in range(8)]
    expected = list(map(load_runtime(folder, name, threads=1), batches))
    given = in_threads(load_runtime(folder, name, threads=1), batches)
    assert all(map(np.array_equal, given, expected))


def test_openvino_compiles_for_few_shapes_and_fills_smaller_batches_up(folder):
    pytest.importorskip("openvino")
    runtime = load_runtime(folder, "openvino")
    expected = runtime(X)
    for batch in range(3, 12):
        runtime(np.repeat(X, batch, axis=0)[:batch])
    assert [shape[0] for shape in runtime._compiled] == [8, 9, 10, 11]
    assert np.abs(runtime(X) - expected).max() < 1e-4  # as 2 of 8
    assert [shape[0] for shape in runtime._compiled] == [9, 10, 11, 8]


def test_mxnet_is_not_needed_to_run_a_folder(folder, name):
    if name == "mxnet":
        pytest.skip("it is this runtime")
    code = (
        "import sys, numpy as np; from gluon_glore.export.runtimes import load_runtime;"
        f"y = load_runtime({str(folder)!r}, {name!r})(np.zeros((1, 1, 64, 64), 'float32'));"
        "print(y.shape, 'mxnet' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split("\n")[0] == "(1, 2) False", done.stderr


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert default_threads() == 3


def test_folders_that_are_no_exports_are_refused(tmp_path, folder):
    with pytest.raises(InputError, match="manifest.yaml: No such file"):
        load_runtime(tmp_path)
    fields = (folder / "manifest.yaml").read_text()
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "manifest.yaml").write_text(fields[: fields.index("deployment:")])
    with pytest.raises(InputError, match="exported by an older version"):
        load_runtime(tmp_path)
