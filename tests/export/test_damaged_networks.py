"""Networks that fit their checksums, and are not what the manifest says: each runtime says so."""

import copy
import json
import shutil

import numpy as np
import pytest

from gluon_glore import InputError, load_runtime
from gluon_glore.__main__ import main
from gluon_glore.export.check import check
from gluon_glore.weights import load_arrays
from gluon_glore.weights.parameters import save_arrays, with_kinds
from tests.helpers.exports import exported_with_onnx, resign

onnx = pytest.importorskip("onnx")
pytest.importorskip("openvino")
pytest.importorskip("onnxruntime")

NAME = "tiny_glore_0_1"
SYMBOL, PARAMS, ONNX = f"{NAME}-symbol.json", f"{NAME}-0000.params", f"{NAME}.onnx"
X = np.zeros((2, 1, 64, 64), "float32")


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    return exported_with_onnx(tmp_path_factory.mktemp("damaged"))


@pytest.fixture
def folder(intact, tmp_path):
    return shutil.copytree(intact, tmp_path / "copy")


def of(symbol, op, number=2):
    return [node for node in symbol["nodes"] if node["op"] == op][number]


def unknown_operator(symbol):
    of(symbol, "Convolution")["op"] = "Convulsion"


def other_channels(symbol):
    of(symbol, "Convolution")["attrs"]["num_filter"] = "99"


def huge_padding(symbol):
    of(symbol, "Convolution")["attrs"]["pad"] = "(1000000, 1000000)"


def unknown_attribute(symbol):
    of(symbol, "Convolution")["attrs"]["colour"] = "3"


def other_input(symbol):
    of(symbol, "null", 0)["name"] = "pixels"


def two_outputs(symbol):
    symbol["heads"].append([3, 0, 0])


def no_such_output(symbol):
    symbol["heads"] = [[-1, 0, 0]]


def an_inner_output(symbol):
    symbol["heads"] = [[3, 0, 0]]


def no_nodes(symbol):
    symbol.clear()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (unknown_operator, "Convulsion is not registered"),
        (other_channels, "Shape inconsistent"),
        (huge_padding, f"{SYMBOL}: mxnet can't load it"),
        (unknown_attribute, "Cannot find argument 'colour'"),
        (other_input, "inputs pixels, an exported network has data"),
        (two_outputs, "2 outputs, an exported network has one"),
        (no_such_output, "no operator -1"),
        (an_inner_output, r"outputs \(2, .*\) for a batch .*, not \(2, 2\)"),
        (no_nodes, "not an MXNet symbol"),
    ],
)
def test_damaged_symbols_are_refused_by_mxnet(folder, damage, message):
    symbol = json.loads((folder / SYMBOL).read_text())
    damage(symbol)
    (folder / SYMBOL).write_text(json.dumps(symbol))
    refused(folder, ["mxnet"], message)


def reshaped(arrays):
    name = next(name for name in arrays if name.endswith("weight"))
    arrays[name] = arrays[name].reshape((-1, 1))


def missing(arrays):
    del arrays[next(name for name in arrays if name.endswith("weight"))]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (reshaped, "nconsistent|ncompatible"),
        (missing, "inputs data, .*weight, an exported network has data"),
    ],
)
def test_parameters_of_another_network_are_refused_by_mxnet(folder, damage, message):
    arrays = load_arrays(folder / PARAMS)
    damage(arrays)
    save_arrays(folder / PARAMS, with_kinds(arrays))
    refused(folder, ["mxnet"], message)


def node(graph, op, number=2):
    return [node for node in graph.node if node.op_type == op][number]


def unknown_onnx_operator(model):
    node(model.graph, "Conv").op_type = "Convulsion"


def other_onnx_input(model):
    old = model.graph.input[0].name
    model.graph.input[0].name = "pixels"
    for reader in model.graph.node:
        reader.input[:] = ["pixels" if name == old else name for name in reader.input]


def two_onnx_outputs(model):
    output = copy.deepcopy(model.graph.output[0])
    output.name = node(model.graph, "Relu").output[0]
    model.graph.output[0].type.CopyFrom(output.type)
    del output.type.tensor_type.shape.dim[:]
    output.type.tensor_type.ClearField("shape")
    model.graph.output.append(output)


def integer_outputs(model):
    output = model.graph.output[0]
    model.graph.node.append(onnx.helper.make_node("Cast", [output.name], ["whole"], to=6))
    output.name, output.type.tensor_type.elem_type = "whole", 6


def other_onnx_shape(model):
    output = model.graph.output[0]
    model.graph.node.append(onnx.helper.make_node("ReduceSum", [output.name], ["sum"], keepdims=1))
    output.name = "sum"
    output.type.tensor_type.ClearField("shape")


def cut(model):
    return model.SerializeToString()[:-5000]


def weights_elsewhere(model):
    tensor = next(t for t in model.graph.initializer if "weight" in t.name)
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../elsewhere")


def empty(model):
    return b""


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (unknown_onnx_operator, "Convulsion"),
        (other_onnx_input, "inputs pixels, an exported network has data"),
        (two_onnx_outputs, "2 outputs, an exported network has one"),
        (integer_outputs, "gives int32, no float32 logits"),
        (other_onnx_shape, r"gives outputs \(1, 1\) for a batch .*, by the manifest \(2, 2\)"),
        (cut, "can't load it"),
        (weights_elsewhere, "weights in other files"),
        (empty, "an empty file"),
    ],
)
def test_damaged_onnx_files_are_refused_by_both_runtimes(folder, tmp_path, damage, message):
    model = onnx.load(folder / ONNX)
    changed = damage(model)
    (folder / ONNX).write_bytes(model.SerializeToString() if changed is None else changed)
    (tmp_path / "elsewhere").write_bytes(bytes(10**6))
    refused(folder, ["openvino", "onnxruntime"], message)


def refused(folder, runtimes, message):
    """Hold that the runtimes refuse a folder in a line."""
    resign(folder)
    for name in runtimes:
        with pytest.raises(InputError, match=message) as error:
            load_runtime(folder, name, threads=1)(X)
        assert str(error.value).count("\n") == 0
        assert len(str(error.value)) < 600
        assert f": {name} " in str(error.value)


def test_check_names_what_fails_and_goes_on_and_predict_ends_with_a_line(folder, capsys):
    symbol = json.loads((folder / SYMBOL).read_text())
    unknown_operator(symbol)
    (folder / SYMBOL).write_text(json.dumps(symbol))
    model = onnx.load(folder / ONNX)
    other_onnx_shape(model)
    onnx.save(model, folder / ONNX)
    resign(folder)
    fails = "; ".join(f"{name} fails" for name in ("openvino", "onnxruntime", "mxnet"))
    with pytest.raises(InputError, match=f"{folder}: {fails}$"):
        check(folder, apart=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "pytorch      not run",
        "openvino     FAILS",
        "onnxruntime  FAILS",
        "mxnet        FAILS",
    ]

    assert main(["predict", str(folder), "--model", str(folder), "--runtime", "mxnet"]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1
    assert "Convulsion is not registered; export the network again" in said.err
    assert said.out == ""


def test_a_batch_that_does_not_fit_is_told_beside_the_input(intact):
    for name in ("onnxruntime", "openvino", "mxnet"):
        with pytest.raises(InputError, match=r"its input is float32 \(varies, 1, 64, 64\)"):
            load_runtime(intact, name, threads=1)(np.zeros((2, 3, 64, 64), "float32"))
