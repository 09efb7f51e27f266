"""Folders that Triton, MMS, SageMaker and DJL read, and that are still exported ones."""

import os
import re
from importlib.util import module_from_spec, spec_from_file_location

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.__main__ import main
from gluon_glore.cli.export import LAYOUTS as OFFERED
from gluon_glore.data.image import Preprocess
from gluon_glore.export.check import check
from gluon_glore.export.files import is_export, read_files
from gluon_glore.export.layouts import LAYOUTS, MAX_BATCH
from gluon_glore.inference.classify import load_classifier

mx = pytest.importorskip("mxnet", reason="exporting takes mxnet")
onnx = pytest.importorskip("onnx", reason="Triton's folders have ONNX files")

from gluon_glore import describe, export_model  # noqa: E402
from tests.helpers.any_networks import (  # noqa: E402
    CLASSES,
    CLIP,
    PICTURE,
    classifier,
    recognizer,
    segmenter,
)

PIXELS = Preprocess((16, 16), 0, (120.0, 110.0, 100.0), (0.02, 0.01, 0.03))
NETWORKS = {"classify": (classifier, PICTURE), "segment": (segmenter, PICTURE)}
NETWORKS["recognize"] = (recognizer, CLIP)


def write(place, layout, task="classify", name="any", **how):
    """(network, exported folder) of a small network in a layout below `place`."""
    make, size = NETWORKS[task]
    net = make()
    stride = {"stride": 1} if task == "recognize" else {}
    manifest = describe(net, PIXELS, CLASSES, name=name, size=size, **stride)
    return net, export_model(net, place, manifest, layout=layout, **how)


def test_the_command_line_offers_each():
    assert ("", *OFFERED) == tuple(LAYOUTS)


def config(task, backend, of_pixels, given, varying=False, softmax=False):
    """The fields of a config.pbtxt as `parse` gives them, as Triton's documentation has them."""
    space = [-1, -1] if varying else [16, 16]
    time = [4] if task == "recognize" else []
    dims = [*time, *space, 3] if of_pixels else [3, *time, *space]
    outputs = [3, *space] if task == "segment" else [3]
    batched = backend == "onnxruntime"
    more = [] if batched else [-1]
    labels = {} if task == "segment" else {"label_filename": "labels.txt"}
    output = "probabilities" if softmax else "logits"
    return {
        "name": "any",
        "backend": backend,
        "default_model_filename": "any.onnx",
        "max_batch_size": MAX_BATCH if batched else 0,
        "input": [{"name": "data", "data_type": given, "dims": more + dims}],
        "output": [{"name": output, "data_type": "TYPE_FP32", "dims": more + outputs, **labels}],
        **({"dynamic_batching": {}} if batched else {}),
    }


def parse(text):
    """Protobuf's text format, of the forms that config.pbtxt has here: a small reader of it."""
    tokens = re.findall(r'"[^"\n]*"|[A-Za-z_]\w*|-?\d+|[{}\[\]:,]', text)
    assert "".join(tokens) == re.sub(r"\s", "", text)
    return _message(iter([*tokens, "}"]))


def _message(tokens):
    fields = {}
    for name in tokens:
        if name == "}":
            return fields
        sign = next(tokens)
        if sign == "[":
            fields[name] = _values(tokens)
        elif sign == "{":
            fields[name] = _message(tokens)
        else:
            value = next(tokens)
            fields[name] = _values(tokens) if value == "[" else _value(value)
    raise AssertionError("a message does not end")


def _values(tokens):
    values = []
    for token in tokens:
        if token == "]":
            return values
        if token != ",":
            values.append(_message(tokens) if token == "{" else _value(token))
    raise AssertionError("a list does not end")


def _value(token):
    return token.strip('"') if token.startswith('"') or token.isidentifier() else int(token)


CASES = [(task, layout) for task in NETWORKS for layout in ("triton", "triton-openvino")]


@pytest.mark.parametrize("how", ["plain", "pixels"])
@pytest.mark.parametrize("task, layout", CASES)
def test_a_config_is_what_the_onnx_file_takes_and_gives(tmp_path, task, layout, how):
    pixels = how == "pixels"
    options = {"preprocess": pixels, "softmax": pixels}
    _, folder = write(tmp_path / "models", layout, task, **options)
    assert folder == tmp_path / "models/any/1"
    backend = "openvino" if layout.endswith("openvino") else "onnxruntime"
    given = "TYPE_UINT8" if pixels else "TYPE_FP32"
    text = (folder.parent / "config.pbtxt").read_text()
    assert parse(text) == config(task, backend, pixels, given, softmax=pixels)
    written = {"1", "config.pbtxt"} | ({"labels.txt"} if task != "segment" else set())
    assert {path.name for path in folder.parent.iterdir()} == written
    if task != "segment":
        assert (folder.parent / "labels.txt").read_text() == "a\nb\nc\n"
    agrees_with_onnx(text, folder / "any.onnx")


def agrees_with_onnx(text, path):
    """Hold a config to the ONNX file's own inputs and outputs, as Triton does when it loads one."""
    told, graph = parse(text), onnx.load(path).graph
    types = {"TYPE_FP32": onnx.TensorProto.FLOAT, "TYPE_UINT8": onnx.TensorProto.UINT8}
    for ours, theirs in (("input", graph.input), ("output", graph.output)):
        ((field,), (value,)) = told[ours], theirs
        tensor = value.type.tensor_type
        sizes = [dim.dim_value or -1 for dim in tensor.shape.dim]
        dims = field["dims"] if told["max_batch_size"] == 0 else [-1, *field["dims"]]
        assert (field["name"], dims) == (value.name, sizes)
        assert types[field["data_type"]] == tensor.elem_type


def tritons_schema():
    """(Triton's published schema of a model's configuration, protobuf's text format)."""
    client = pytest.importorskip("tritonclient", reason="tritonclient has Triton's schema")
    text_format = pytest.importorskip("google.protobuf.text_format", reason="of its format")
    # By its file, for its package takes gRPC, which the schema does not.
    [folder] = client.__path__
    spec = spec_from_file_location("model_config_pb2", f"{folder}/grpc/model_config_pb2.py")
    schema = module_from_spec(spec)
    spec.loader.exec_module(schema)
    return schema, text_format


@pytest.mark.parametrize("layout", ["triton", "triton-openvino"])
def test_tritons_own_schema_reads_a_config(tmp_path, layout):
    schema, text_format = tritons_schema()
    for task in NETWORKS:
        place = tmp_path / task
        _, folder = write(place, layout, task, preprocess="NCHW", any_size=task == "segment")
        text = (folder.parent / "config.pbtxt").read_text()
        told = text_format.Parse(text, schema.ModelConfig())
        plain = parse(text)
        assert told.name == "any" and told.backend == plain["backend"]
        assert (folder / told.default_model_filename).is_file()
        assert told.max_batch_size == plain["max_batch_size"]
        assert told.HasField("dynamic_batching") == (layout == "triton")
        graph = onnx.load(folder / told.default_model_filename).graph
        types = {schema.TYPE_FP32: 1, schema.TYPE_UINT8: 2}  # as onnx.TensorProto counts
        for (ours,), (value,) in ((told.input, graph.input), (told.output, graph.output)):
            sizes = [dim.dim_value or -1 for dim in value.type.tensor_type.shape.dim]
            dims = [*([-1] if told.max_batch_size else []), *ours.dims]
            assert (ours.name, dims) == (value.name, sizes)
            assert types[ours.data_type] == value.type.tensor_type.elem_type
        if told.output[0].label_filename:
            labels = (folder.parent / told.output[0].label_filename).read_text().splitlines()
            assert tuple(labels) == read_files(folder).manifest.class_names


def test_a_folder_that_can_not_be_looked_into_is_no_riddle(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir(mode=0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # nobody: root may look into all
    try:
        with pytest.raises(InputError, match=r"Permission denied"):
            is_export(folder)
    finally:
        if root:
            os.seteuid(0)
        folder.chmod(0o700)
    assert not is_export(folder) and not is_export(tmp_path / "none")


def test_a_network_of_pixels_of_any_size_has_open_dims(tmp_path):
    _, folder = write(tmp_path, "triton", "segment", any_size=True, preprocess=True)
    text = (folder.parent / "config.pbtxt").read_text()
    assert parse(text) == config("segment", "onnxruntime", True, "TYPE_UINT8", varying=True)


def test_a_model_and_its_version_are_exported_folders(tmp_path, capsys):
    net, folder = write(tmp_path, "triton", preprocess=True, softmax=True)
    x = np.random.RandomState(0).randint(0, 256, (2, 16, 16, 3)).astype("uint8")
    for place in (folder, folder.parent):
        assert is_export(place)
        assert read_files(place).folder == folder
        assert set(check(place, apart=False)) >= {"mxnet"}
        assert load_classifier(place).classify(x[0], 1)
    (folder.parent / "10").mkdir()
    for path in folder.iterdir():
        (folder.parent / "10" / path.name).write_bytes(path.read_bytes())
    assert read_files(folder.parent).folder.name == "10"
    assert main(["check", str(folder.parent)]) == 0
    assert "agrees" in capsys.readouterr().out


def test_a_second_model_stands_beside_the_first_and_one_is_replaced_by_force_alone(tmp_path):
    _, first = write(tmp_path, "triton", name="first")
    _, second = write(tmp_path, "triton-openvino", name="second")
    before = {path: path.read_bytes() for path in first.parent.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match="first: not an empty folder; --force replaces"):
        write(tmp_path, "triton", name="first")
    assert {path: path.read_bytes() for path in before} == before
    write(tmp_path, "triton-openvino", name="first", force=True)
    assert "openvino" in (first.parent / "config.pbtxt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]
    (first.parent / "2").mkdir()
    with pytest.raises(InputError, match="first: 2 is there too, it stays as it is"):
        write(tmp_path, "triton", name="first", force=True)
    assert (first.parent / "2").is_dir() and is_export(second)


def test_a_model_that_can_not_be_written_leaves_none_of_it(tmp_path, monkeypatch):
    def fails(files):
        raise InputError("the disk is full")

    monkeypatch.setitem(LAYOUTS["triton"].files, "config.pbtxt", fails)
    _, first = write(tmp_path, "triton-openvino", name="first")
    with pytest.raises(InputError, match="the disk is full"):
        write(tmp_path, "triton", name="second")
    assert [path.name for path in tmp_path.iterdir()] == ["first"]


def test_that_tritons_openvino_may_compute_in_bfloat16_is_said(tmp_path, capsys):
    write(tmp_path, "triton", name="first")
    assert "bfloat16" not in capsys.readouterr().err
    write(tmp_path, "triton-openvino", name="second")
    assert "Triton's OpenVINO backend computes in it, unlike" in capsys.readouterr().err


@pytest.mark.parametrize("kept", [(), ("conv0", "dense0")])
def test_bf16_is_all_or_nothing_in_tritons_openvino(tmp_path, kept):
    _, folder = write(tmp_path, "")
    files = read_files(folder).with_deployment(precision="bf16", float32={"onnx": kept})
    text_of = LAYOUTS["triton-openvino"].files["config.pbtxt"]
    if kept:
        with pytest.raises(InputError, match="all or nothing in bf16, conv0, dense0 must stay"):
            text_of(files)
    else:
        told = parse(text_of(files))
        assert told["parameters"] == {"key": "HINT_BF16", "value": {"string_value": "YES"}}


def test_what_triton_can_not_have_is_refused(tmp_path):
    with pytest.raises(InputError, match="unknown layout 'tensorrt', known: triton, triton-op"):
        write(tmp_path / "a", "tensorrt")
    with pytest.raises(InputError, match="called by letters, digits .* given a b"):
        write(tmp_path / "a", "triton", name="a b")
    with pytest.raises(InputError, match="ONNX Runtime backend computes in float32: --layout tri"):
        write(tmp_path / "a", "triton", precision="bf16")
    net, folder = write(tmp_path / "plain", "")
    with pytest.raises(InputError, match="plain: an exported folder, a folder of models is needed"):
        write(folder, "triton")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plain"]
