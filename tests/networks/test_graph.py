"""The reader of symbol files: what it reads, and how it refuses what is no graph."""

import json
import time

import pytest

from gluon_glore import InputError
from gluon_glore.networks.graph import last_layer, parse_nodes, read_graph
from tests.helpers.places import GOLDEN

RELEASED = GOLDEN / "resnet50_w-glore_2-3-symbol.json"


@pytest.fixture
def refused(tmp_path):
    """`refused(content, message)`: a file of that content is refused in one line."""

    def check(content, message="not an MXNet symbol"):
        path = tmp_path / "net-symbol.json"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(InputError, match=message) as error:
            read_graph(path)
        assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)

    return check


def test_attributes_are_found_under_all_their_keys(tmp_path):
    for key in ("attr", "param", "attrs"):
        node = {"op": "Pooling", "name": "pool", "inputs": [], key: {"kernel": "(3, 4)"}}
        path = tmp_path / "net-symbol.json"
        path.write_text(json.dumps({"nodes": [node]}))
        (found,) = read_graph(path)
        assert found.numbers("kernel", ()) == (3, 4)
        with pytest.raises(InputError, match=r"pool: kernel must be one number, given \(3, 4\)"):
            found.number("kernel")
        with pytest.raises(InputError, match="pool: stride must be one number"):
            found.number("stride")


@pytest.mark.parametrize("text", ["x", "(3, )x", "1e3", "9" * 5000, "1048577", "-1048577", "nan"])
def test_attributes_that_are_no_numbers_are_refused(text):
    (node,) = parse_nodes([{"op": "null", "name": "a", "inputs": [], "attrs": {"kernel": text}}])
    with pytest.raises(InputError, match="a: kernel must be whole numbers up to 1048576, given"):
        node.numbers("kernel", ())


def test_the_last_layer_is_the_classifier():
    assert last_layer(read_graph(RELEASED)).name == "classifier"
    assert last_layer(()) is None


def test_what_is_no_symbol_is_refused(refused, tmp_path):
    with pytest.raises(InputError, match="no such symbol file"):
        read_graph(tmp_path / "none")
    with pytest.raises(InputError, match="a folder, a symbol file is needed"):
        read_graph(tmp_path)
    for content in (
        b"",
        b"\xff\xfe\x00",
        "<html>",
        "[]",
        "{}",
        '{"nodes": 5}',
        '{"nodes": {"a": 1}}',
        '{"nodes": [5]}',
        '{"nodes": [{}]}',
        "[" * 100_000,
        '{"nodes":' * 100_000,
    ):
        refused(content)


@pytest.mark.parametrize(
    "change",
    [
        {"inputs": [[1, 0, 0]]},
        {"inputs": [[2, 0, 0]]},
        {"inputs": [[-1, 0, 0]]},
        {"inputs": [[]]},
        {"inputs": [[0]]},
        {"inputs": [["x", 0, 0]]},
        {"inputs": [[float("inf"), 0, 0]]},
        {"inputs": 5},
        {"inputs": None},
        {"name": "a\nb"},
        {"name": "a" * 1001},
        {"op": "Convolution", "inputs": [[0, 0, 0]]},
        {"attrs": 5},
        {"attrs": "text"},
    ],
)
def test_damaged_operators_are_refused(refused, change):
    nodes = [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "relu", "name": "a", "inputs": [[0, 0, 0]], **change},
    ]
    refused(json.dumps({"nodes": nodes}))


def test_a_second_output_of_an_operator_is_refused_by_name(refused):
    nodes = [
        {"op": "SliceChannel", "name": "split", "inputs": []},
        {"op": "relu", "name": "half", "inputs": [[0, 1, 0]]},
    ]
    refused(json.dumps({"nodes": nodes}), "half reads a second output of an operator")


def test_too_large_symbols_are_refused_quickly(refused):
    million = [{}] * 1_000_000
    start = time.perf_counter()
    refused(json.dumps({"nodes": million}), "1000000 operators, at most 20000 are read")
    million = [{"op": "null", "name": "data", "inputs": []}] * 1_000_000
    refused(json.dumps({"nodes": million}), "over 8 MiB, a symbol has less")
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize("place", [-1, 2, 2**40, "0", None, 0.5])
@pytest.mark.parametrize("key", ["heads", "arg_nodes"])
def test_outputs_and_variables_of_no_operator_are_refused(refused, key, place):
    nodes = [{"op": "null", "name": name, "inputs": []} for name in ("data", "label")]
    given = [[place, 0, 0]] if key == "heads" else [place]
    refused(json.dumps({"nodes": nodes, key: given}), "no operator .*, of 2")
    refused(json.dumps({"nodes": nodes, "heads": [[1, 1, 0]]}), "gives a second output")


def test_only_operators_of_integers_have_more_outputs_and_those_three(refused, tmp_path):
    def symbol(op, output):
        nodes = [
            {"op": "null", "name": "data", "inputs": []},
            {"op": op, "name": "first", "inputs": [[0, 0, 0]]},
            {"op": "Activation", "name": "second", "inputs": [[1, 0, 0], [1, output, 0]]},
        ]
        return json.dumps({"nodes": nodes})

    path = tmp_path / "quantized.json"
    path.write_text(symbol("_contrib_quantize_v2", 2))
    assert len(read_graph(path, quantized=True)) == 3
    refused(symbol("_contrib_quantize_v2", 2), "second reads a second output")
    for op, output in (("_contrib_quantize_v2", 3), ("_contrib_quantize_v2", -1), ("Pooling", 1)):
        path.write_text(symbol(op, output))
        with pytest.raises(InputError, match="second reads a second output"):
            read_graph(path, quantized=True)
