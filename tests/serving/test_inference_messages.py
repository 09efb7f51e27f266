import json

import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.serving.inference_messages import (
    MAX_IN_JSON,
    MAX_ROWS,
    RequestedOutput,
    TensorSpec,
    classified,
    read_request,
    write_response,
)

DATA = TensorSpec("data", "FP32", (None, 2, 2))
IMAGE = TensorSpec("image", "BYTES", (None,))
X = np.arange(8, dtype=np.float32).reshape(2, 2, 2) / 4


def an_input(**changes):
    """The field of the input X, with others or without those that are None."""
    fields = {"name": "data", "shape": [2, 2, 2], "datatype": "FP32", "data": X.tolist()}
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def read(request, data=b"", header=None, specs=(DATA, IMAGE)):
    text = request if isinstance(request, bytes) else json.dumps(request).encode()
    if data and header is None:
        header = str(len(text))
    return read_request(bytearray(text + data), header, specs, ["logits"])


def refusal(*args, **options):
    with pytest.raises(InputError) as refused:
        read(*args, **options)
    return str(refused.value)


def binary(size=32, **changes):
    return an_input(data=None, parameters={"binary_data_size": size}, **changes)


def test_inputs_come_in_json_and_in_bytes():
    request = read({"inputs": [an_input()], "id": "42", "model_name": "as Triton's example has it"})
    assert np.array_equal(request.inputs["data"], X) and request.id == "42"
    assert request.outputs == (RequestedOutput("logits"),)
    assert np.array_equal(read({"inputs": [binary()]}, X.tobytes()).inputs["data"], X)
    flat = an_input(data=X.ravel().tolist(), parameters={"any": 1.5, "other": True, "o": "x"})
    assert np.array_equal(read({"inputs": [flat], "outputs": []}).inputs["data"], X)


def test_several_inputs_stand_in_their_order():
    image = {"name": "image", "shape": [1], "datatype": "BYTES"}
    element = b"\3\0\0\0abc"
    sent = {**image, "parameters": {"binary_data_size": 7}}
    request = read({"inputs": [sent, binary()]}, element + X.tobytes())
    assert request.inputs["image"].tolist() == [b"abc"]
    assert np.array_equal(request.inputs["data"], X)
    request = read({"inputs": [{**image, "data": ["abc"]}, an_input()]})
    assert request.inputs["image"].tolist() == ["abc"]
    assert np.array_equal(request.inputs["data"], X)


def test_spaces_and_texts_around_lists_do_no_harm():
    text = json.dumps({"inputs": [an_input()], "id": '"data": [1, 2], \\'}, indent=3).encode()
    request = read(text.replace(b'"data": [', b'"data" :\r\n\t ['))
    assert np.array_equal(request.inputs["data"], X)
    assert request.id == '"data": [1, 2], \\'


def test_outputs_are_as_asked_for():
    inputs, output = [an_input()], {"name": "logits"}

    def outputs(*given, **parameters):
        return read({"inputs": inputs, "outputs": given, "parameters": parameters}).outputs

    assert outputs(output) == (RequestedOutput("logits"),)
    assert outputs(binary_data_output=True) == (RequestedOutput("logits", True),)
    assert outputs({**output, "parameters": {"binary_data": True, "classification": 3}}) == (
        RequestedOutput("logits", True, 3),
    )
    other = {**output, "parameters": {"binary_data": False}}
    assert outputs(other, binary_data_output=True) == (RequestedOutput("logits", False),)


@pytest.mark.parametrize(
    "request_, message",
    [
        (b"", "not JSON"),
        (b"[]", "the fields"),
        (b"{", "not JSON"),
        (b"\xff", "UTF-8"),
        (b"[" * 10**5, "too many levels"),
        (b'{"inputs": NaN}', "NaN is no number"),
        (b'{"id": "a", "id": "b", "inputs": []}', "twice in an object"),
        ({}, "inputs: missing"),
        ({"inputs": []}, "1 to 8"),
        ({"inputs": [1]}, r"inputs[0]: the fields"),
        ({"inputs": [an_input()], "id": 42}, "id: a line of text"),
        ({"inputs": [an_input()], "parameters": {"a": [1]}}, "parameters.a"),
        ({"inputs": [an_input()], "parameters": {"sequence_id": 3}}, "neither sequences nor"),
        ({"inputs": [an_input()], "parameters": {"data": [1, 2]}}, "no input's data"),
        ({"inputs": [an_input()], "data": [1, 2]}, "no input's data"),
        ({"inputs": [an_input(), an_input()]}, "'data' is there twice"),
        ({"inputs": [an_input(name="x")]}, "no input 'x', there is data, image"),
        ({"inputs": [an_input(shape=None)]}, "shape: missing"),
        ({"inputs": [an_input(shape=[-1, 2, 2])]}, "shape[0]: a whole number"),
        ({"inputs": [an_input(shape=[0, 2, 2])]}, "shape[0]: a whole number"),
        ({"inputs": [an_input(shape=[2.0, 2, 2])]}, "shape[0]: a whole number"),
        ({"inputs": [an_input(shape=[2, 2, 2, 1])]}, "data is FP32 of shape [-1, 2, 2], given"),
        ({"inputs": [an_input(shape=[2, 2, 3])]}, "data is FP32 of shape [-1, 2, 2], given"),
        ({"inputs": [an_input(shape=[3, 2, 2])]}, "FP32 of shape [3, 2, 2], given 8 values"),
        ({"inputs": [an_input(shape=[MAX_ROWS + 1, 2, 2])]}, f"at most {MAX_ROWS} rows"),
        ({"inputs": [an_input(datatype="FP64")]}, "given FP64 of shape"),
        ({"inputs": [an_input(datatype="BF16")]}, "datatype: one of BOOL"),
        ({"inputs": [an_input(data=None)]}, "either data, or"),
        ({"inputs": [an_input(parameters={"binary_data_size": 32})]}, "either data, or"),
        ({"inputs": [an_input(data=3)]}, "data is a list of FP32"),
        ({"inputs": [an_input(data=["a"] * 8)]}, "data is a list of FP32"),
        ({"inputs": [an_input(data=[1, "a"])]}, "data is a list of FP32"),
        ({"inputs": [an_input(parameters={"shared_memory_region": "a"})]}, "nor shared memory"),
        ({"inputs": [binary()]}, "32 bytes of binary data, 0 are sent"),
        ({"inputs": [binary(-1)]}, "binary_data_size: a whole number"),
        ({"inputs": [binary(True)]}, "binary_data_size: a whole number"),
        ({"inputs": [an_input()], "outputs": [{"name": "x"}]}, "'x', there is logits"),
        ({"inputs": [an_input()], "outputs": [{"name": "logits"}] * 2}, "each once"),
        ({"inputs": [an_input()], "outputs": [{}]}, "outputs[0].name: missing"),
        ({"inputs": [an_input()], "id": "a" * 1001}, "id: a line"),
        (json.dumps({"inputs": [{}] * 9}).encode(), "1 to 8"),
        (b'{"x": [' + b"[]," * 10**5 + b"1]}", "more than 100000 values beside"),
    ],
)
def test_what_the_protocol_does_not_allow_is_refused_in_a_line(request_, message):
    told = refusal(request_)
    assert message in told and "\n" not in told and len(told) < 400


@pytest.mark.parametrize(
    "parameters", [{"binary_data": 1}, {"classification": 0}, {"classification": True}]
)
def test_wrong_wishes_are_refused(parameters):
    output = {"name": "logits", "parameters": parameters}
    assert next(iter(parameters)) in refusal({"inputs": [an_input()], "outputs": [output]})


def test_binary_data_are_those_that_the_header_and_the_sizes_say():
    request = {"inputs": [binary()]}
    length = len(json.dumps(request))
    assert "4 bytes behind the last input" in refusal(request, X.tobytes() + b"1234")
    assert "32 bytes of binary data, 31 are sent" in refusal(request, X.tobytes()[:-1])
    assert "given 31 bytes" in refusal({"inputs": [binary(31)]}, X.tobytes()[:-1])
    for header in ("", "-1", "0", "x", "9" * 20, "²", str(length + 33)):
        assert "Inference-Header-Content-Length" in refusal(request, X.tobytes(), header)
    assert "not JSON" in refusal(request, X.tobytes(), str(length - 1))


@pytest.mark.parametrize("lists", ["[1,2", "[1]]", "[[1]", "1,2]", '[1,2] "'])
def test_a_damaged_list_is_refused(lists):
    text = json.dumps({"inputs": [an_input(data="@")]}).replace('"@"', lists)
    assert refusal(text.encode())


def test_an_answer_is_json_with_binary_data_behind():
    output = RequestedOutput("logits")
    text, header = write_response({"id": "1"}, [(output, X)])
    assert header is None and json.loads(text) == {
        "id": "1",
        "outputs": [
            {"name": "logits", "shape": [2, 2, 2], "datatype": "FP32", "data": X.ravel().tolist()}
        ],
    }
    text, header = write_response({}, [(RequestedOutput("logits", True), X)])
    [told] = json.loads(text[:header])["outputs"]
    assert told["parameters"] == {"binary_data_size": 32} and text[header:] == X.tobytes()
    with pytest.raises(InputError, match="JSON at most 1000000: ask for it"):
        write_response({}, [(output, np.zeros(MAX_IN_JSON + 1, np.float32))])


def test_classes_are_told_as_triton_tells_them():
    scores = np.array([[1.1, 3.3, 0.5, 2.4], [2, 2, 1, 3]], np.float32)
    told = classified(scores, 3, ["a", "b", "c:c", "é"])
    assert told.tolist() == [
        [b"3.300000:1:b", "2.400000:3:é".encode(), b"1.100000:0:a"],
        ["3.000000:3:é".encode(), b"2.000000:0:a", b"2.000000:1:b"],
    ]
    assert classified(scores, 9, "abcd").shape == (2, 4)
    text, _ = write_response({}, [(RequestedOutput("logits"), told)])
    [output] = json.loads(text)["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [2, 3])
    assert output["data"][:2] == ["3.300000:1:b", "2.400000:3:é"]
