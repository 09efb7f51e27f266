import dataclasses
import shutil
import subprocess
import sys

import numpy as np
import pytest

from gluon_glore import InputError, get_model
from gluon_glore.__main__ import main
from gluon_glore.export import export_model
from gluon_glore.export.check import check
from gluon_glore.export.files import read_files
from gluon_glore.model_zoo.entry import measure
from gluon_glore.model_zoo.find_weights import find_weights
from gluon_glore.weights.golden import GOLDEN, read_golden, write_golden
from gluon_glore.weights.manifest import MANIFEST, parse_manifest, write_manifest
from tests.helpers.exports import exported, exported_with_onnx, resign
from tests.helpers.places import ROOT

NAME = "tiny_glore_0_1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an ONNX file."""
    return exported_with_onnx(tmp_path_factory.mktemp("check"))


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def test_every_runtime_is_run_and_said(folder, capsys):
    for package in ("onnxruntime", "openvino"):
        pytest.importorskip(package)
    figures = check(folder)
    assert set(figures) == {"openvino", "onnxruntime", "mxnet"}
    assert max(row["error"] for row in figures.values()) < 1e-4
    assert capsys.readouterr().out.count(" agrees: ") == 3
    assert main(["check", str(folder)]) == 0


def test_accuracy_is_measured_in_every_runtime(tmp_path, digit_pairs, capsys):
    net = get_model(NAME, pretrained=True)
    manifest = find_weights(NAME, True).manifest
    folder = export_model(net, tmp_path / "out", manifest, onnx=True)
    data = digit_pairs / "val.rec"
    figures = check(folder, data, apart=False)
    expected = measure(found_folder(), data)["top1"]
    assert expected > 0.8
    for row in figures.values():
        assert row["accuracy"] == pytest.approx(expected)
    assert "on 70 pictures" in capsys.readouterr().out
    with pytest.raises(InputError, match="none.rec"):
        check(folder, tmp_path / "none.rec")


def found_folder():
    return find_weights(NAME, True).params.parent


def test_mxnet_is_not_needed_to_check_a_folder(folder):
    for package in ("onnxruntime", "openvino"):
        pytest.importorskip(package)
    code = (
        "import sys; sys.modules['mxnet'] = None;"  # as if it were not installed
        "from gluon_glore.export.check import check;"
        f"print(sorted(check({str(folder)!r}, apart=False)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert "['onnxruntime', 'openvino']" in done.stdout, done.stderr
    assert "mxnet        not run: is not installed" in done.stdout


def test_a_runtime_without_its_file_is_said_too(tmp_path, capsys):
    exported(tmp_path / "out")
    assert set(check(tmp_path / "out", apart=False)) == {"mxnet"}
    assert f"onnxruntime  not run: needs {NAME}.onnx: export with --onnx" in capsys.readouterr().out


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name", [GOLDEN, f"{NAME}.onnx", f"{NAME}-symbol.json", f"{NAME}-0000.params", "README.md"]
)
def test_a_flipped_bit_is_named(copy, name, capsys):
    flip(copy / name)
    assert main(["check", str(copy)]) == 2
    assert f"{name}: damaged" in capsys.readouterr().err


def test_files_of_two_folders_are_refused(copy, tmp_path):
    exported(tmp_path / "other")  # the same network, other weights
    shutil.copy(tmp_path / f"other/{NAME}-0000.params", copy)
    with pytest.raises(InputError, match="0000.params: damaged"):
        check(copy)


def test_another_networks_parameters_disagree_even_with_a_new_manifest(copy, tmp_path, capsys):
    exported(tmp_path / "other")
    shutil.copy(tmp_path / f"other/{NAME}-0000.params", copy)
    resign(copy)
    assert main(["check", str(copy)]) == 2
    said = capsys.readouterr()
    assert "mxnet gives other outputs than the golden pair" in said.err
    assert "DISAGREES" in said.out and said.out.count(" agrees: ") == 2


@pytest.mark.parametrize(
    ("x", "logits", "message"),
    [
        (np.zeros((2, 3, 64, 64), "float32"), np.zeros((2, 2), "float32"), "do not fit"),
        (np.zeros((2, 1, 64, 64), "uint8"), np.zeros((2, 2), "float32"), "do not fit"),
        (np.zeros((2, 1, 64, 64), "float32"), np.zeros((2, 3), "float32"), "do not fit"),
        (np.zeros((2, 1, 64, 64), "float32"), np.zeros((2, 2, 1), "float32"), "do not fit"),
        (np.zeros((2, 1, 64, 64), "float32"), np.zeros(2, "float32"), "do not fit"),
        (np.zeros((2, 1, 64, 64), "float32"), np.zeros((1, 2), "float32"), "do not fit"),
    ],
)
def test_a_pair_of_another_network_is_refused(copy, x, logits, message):
    write_golden(copy, x, logits)
    resign(copy)
    with pytest.raises(InputError, match=message):
        check(copy)


def test_no_pair_at_all(copy):
    (copy / GOLDEN).write_bytes(b"PK nothing")
    resign(copy)
    with pytest.raises(InputError, match="no golden pair in it"):
        check(copy)


def test_a_file_beside_the_manifest_is_not_run(tmp_path, folder):
    exported(tmp_path / "out")
    shutil.copy(folder / f"{NAME}.onnx", tmp_path / "out")
    assert set(check(tmp_path / "out", apart=False)) == {"mxnet"}


def test_golden_logits_are_those_of_the_gluon_network(tmp_path):
    net = exported(tmp_path)
    import mxnet as mx

    x, logits = read_golden(tmp_path)
    assert np.array_equal(net(mx.nd.array(x)).asnumpy(), logits)
    assert np.abs(logits[0] - logits[1]).max() > 1e-3  # two different rows


@pytest.mark.parametrize("change", [lambda names: names[:-1], lambda names: (*names, "more")])
def test_more_or_fewer_class_names_than_classes_are_refused_before_anything_runs(copy, change):
    manifest = parse_manifest(copy / MANIFEST)
    names = change(manifest.class_names)
    changed = dataclasses.replace(manifest, class_names=names)
    write_manifest(copy, changed, sorted(manifest.sha256))
    told = (
        f"manifest.yaml: class_names: {len(names)} names, the logits in golden.npz are of 2 classes"
    )
    with pytest.raises(InputError, match=told):
        read_files(copy)


def test_a_network_outside_of_the_folder_is_not_loaded(copy):
    outside = copy.parent / "elsewhere"
    shutil.copytree(copy, outside)
    text = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_text(text.replace(f"model: {NAME}", f"model: ../elsewhere/{NAME}"))
    with pytest.raises(InputError, match="manifest.yaml: damaged manifest: model: a name of at"):
        read_files(copy)
