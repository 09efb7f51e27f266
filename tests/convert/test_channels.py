import json

import mxnet as mx
import pytest

from gluon_glore import InputError
from gluon_glore.convert.channels import (
    cut,
    read_channels,
    source_of,
    sources_of,
    whole,
    width_given,
    width_of,
    without,
)
from gluon_glore.networks.graph import parse_nodes


def value_of(symbol):
    """The value of a symbol; its sources are names."""
    nodes = parse_nodes(json.loads(symbol.tojson())["nodes"])
    return read_channels(
        nodes, lambda _, node, inputs: whole(node.name, width_given(node, inputs))
    )[-1]


def conv(name, width, x=None):
    x = mx.sym.var("data") if x is None else x
    return mx.sym.Convolution(x, num_filter=width, kernel=(1, 1), no_bias=True, name=name)


def parts(value):
    return [[(p.source, p.begin, p.end) for p in segment.parts] for segment in value]


def test_sums_are_flat_and_know_no_order():
    a, b, c = (conv(name, 8) for name in "abc")
    assert value_of(a + (b + c)) == value_of(mx.sym.add_n(c, b, a))
    assert sources_of(value_of(a + b)) == {"a", "b"} and source_of(value_of(a + b)) is None
    assert without(value_of(a + b + c), {"b"}) == value_of(a + c)


def test_slices_of_concatenations_are_what_was_concatenated():
    a, b = conv("a", 8), conv("b", 4)
    joined = mx.sym.concat(a, b, dim=1)
    first = mx.sym.slice_axis(joined, axis=1, begin=0, end=8)
    rest = mx.sym.slice_axis(joined, axis=1, begin=8, end=None)
    assert source_of(value_of(first)) == "a" and source_of(value_of(rest)) == "b"
    assert value_of(mx.sym.concat(first, rest, dim=1)) == value_of(joined)
    odd = mx.sym.slice_axis(joined, axis=1, begin=6, end=10)
    assert parts(value_of(odd)) == [[("a", 6, 8)], [("b", 0, 2)]]


def test_parts_that_go_on_are_one_again():
    a = conv("a", 8)
    halves = [mx.sym.slice_axis(a, axis=1, begin=i, end=i + 4) for i in (0, 4)]
    assert source_of(value_of(mx.sym.concat(*halves, dim=1))) == "a"
    assert source_of(value_of(mx.sym.concat(*halves[::-1], dim=1))) is None


def test_dual_paths_add_on_the_first_channels_and_grow():
    paths, body = conv("w", 20), conv("c", 12)
    value = value_of(
        mx.sym.concat(
            mx.sym.slice_axis(paths, axis=1, begin=0, end=8)
            + mx.sym.slice_axis(body, axis=1, begin=0, end=8),
            mx.sym.slice_axis(paths, axis=1, begin=8, end=None),
            mx.sym.slice_axis(body, axis=1, begin=8, end=None),
            dim=1,
        )
    )
    assert parts(value) == [[("c", 0, 8), ("w", 0, 8)], [("w", 8, 20)], [("c", 8, 12)]]
    assert width_of(value) == 24 and source_of(without(value, {"c"})) == "w"
    assert parts(cut(value, 4, 10)) == [[("c", 4, 8), ("w", 4, 8)], [("w", 8, 10)]]


def test_what_only_shapes_is_not_there_and_what_computes_is():
    a = conv("a", 8)
    assert source_of(value_of(mx.sym.Flatten(mx.sym.Dropout(mx.sym.expand_dims(a, axis=2))))) == "a"
    assert source_of(value_of(mx.sym.relu(a, name="r"))) == "r"
    assert source_of(value_of(mx.sym.Dropout(a, mode="always", name="d"))) == "d"
    assert width_of(value_of(mx.sym.transpose(a, name="t"))) is None


def test_parts_beyond_all_measure_are_refused():
    x = conv("a", 8)
    for i in range(9):
        x = mx.sym.elemwise_add(x, x, name=f"x{i}")
    with pytest.raises(InputError, match="x8 has 512 parts, at most 500 are read"):
        value_of(x)
