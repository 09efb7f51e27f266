import json
import time

import mxnet as mx
import pytest

from gluon_glore import InputError, get_spec
from gluon_glore.convert.meaning import Meaning
from gluon_glore.networks import graph
from gluon_glore.networks.graph import parse_nodes, read_graph
from tests.helpers.places import GOLDEN
from tests.helpers.released import Speller, aged

RELEASED = GOLDEN / "resnet50_w-glore_2-3-symbol.json"


def nodes_of(symbol):
    return parse_nodes(json.loads(symbol.tojson())["nodes"])


def layers_of(symbol):
    """{meaning: [the parameters of its layers]}."""
    layers = Meaning(nodes_of(symbol)).layers
    return {meaning: [layer.parameters for layer in alike] for meaning, alike in layers.items()}


def alike(*symbols):
    first, *others = (layers_of(symbol) for symbol in symbols)
    return all(first == other for other in others)


def ending(x):
    """`x` and one more layer that reads it, for only what a layer reads counts in its meaning."""
    return mx.sym.FullyConnected(x, num_hidden=2, name="last")


def conv(x, width=8, name="conv", **options):
    options = {"kernel": (1, 1), "no_bias": True, **options}
    return mx.sym.Convolution(x, num_filter=width, name=name, **options)


@pytest.fixture
def data():
    return mx.sym.var("data")


def test_the_speller_of_the_tests_spells_the_released_graph():
    released = read_graph(RELEASED)
    spelled = nodes_of(Speller(get_spec("resnet50_glore_2_3")).symbol())
    assert [(n.op, n.attrs, n.inputs) for n in spelled] == [
        (n.op, n.attrs, n.inputs) for n in released
    ]
    named = [(ours.name, n.name) for ours, n in zip(spelled, released) if "conv" in n.name]
    assert len(named) > 600 and all(ours == theirs for ours, theirs in named)


def test_layers_name_their_parameters_in_old_and_new_files():
    text = RELEASED.read_text()
    layers = [Meaning(parse_nodes(json.loads(t)["nodes"])).layers for t in (text, aged(text))]
    new, old = ({m: [x.parameters for x in xs] for m, xs in layer.items()} for layer in layers)
    assert len(new) == 79 + 78 + 1 and new == old
    names = [parameters for layers in new.values() for parameters in layers]
    assert {
        "gamma": "conv4_B05_extra_GCN-G__bn_gamma",
        "beta": "conv4_B05_extra_GCN-G__bn_beta",
        "running_mean": "conv4_B05_extra_GCN-G__bn_moving_mean",
        "running_var": "conv4_B05_extra_GCN-G__bn_moving_var",
    } in names
    assert {"weight": "classifier_weight", "bias": "classifier_bias"} in names


def test_orders_spellings_and_what_changes_no_value_do_not_count(data):
    a, b, c = (conv(data, name=f"k{k}", kernel=(k, k), pad=(k // 2,) * 2) for k in (1, 3, 5))
    assert alike(*map(ending, (a + b, b + a, mx.sym.add_n(b, a), mx.sym.broadcast_add(a, b))))
    assert alike(*map(ending, (a + b + c, a + (c + b), mx.sym.add_n(c, a, b))))
    assert alike(*map(ending, (mx.sym.broadcast_mul(a, b), b * a)))
    assert alike(
        ending(mx.sym.relu(a)), ending(mx.sym.Activation(mx.sym.BlockGrad(a), act_type="relu"))
    )
    assert alike(ending(a), ending(mx.sym.Dropout(mx.sym.Reshape(a, shape=(0, 0, -1)))))
    joined = mx.sym.concat(a, b, dim=1)
    assert alike(ending(joined + mx.sym.concat(b, c, dim=1)), ending(mx.sym.concat(a + b, b + c)))
    first = mx.sym.slice_axis(joined, axis=1, begin=0, end=8)
    rest = mx.sym.slice_axis(joined, axis=1, begin=8, end=None)
    assert alike(
        ending(mx.sym.concat(rest, mx.sym.concat(first, c))), ending(mx.sym.concat(b, a, c))
    )
    flat = conv(data, kernel=(1,))
    assert alike(flat, conv(data), conv(data, kernel=(1, 1, 1)))
    dense = mx.sym.FullyConnected(data, num_hidden=8, no_bias=True, name="conv")
    assert alike(flat, dense)
    twice = mx.sym.transpose(mx.sym.transpose(a, axes=(0, 2, 1)), axes=(0, 2, 1, 3))
    assert alike(ending(twice), ending(a))


def test_what_is_computed_counts(data):
    def norm(x, **options):
        return mx.sym.BatchNorm(x, name="norm", **options)

    a, b = conv(data, name="a"), conv(data, name="b", kernel=(5, 5), pad=(2, 2))
    different = [
        a,
        mx.sym.relu(a),
        mx.sym.sigmoid(a),
        a + b,
        a * b,
        a + a,
        a - b,
        a + 1,
        conv(data, 9, "a"),
        conv(data, name="a", kernel=(3, 3)),
        conv(data, name="a", kernel=(3, 3), pad=(1, 1)),
        conv(data, name="a", stride=(2, 2)),
        conv(data, name="a", num_group=2),
        conv(data, name="a", no_bias=False),
        conv(data, name="a", kernel=(3, 3), dilate=(2, 2)),
        conv(data, name="a", layout="NHWC"),
        mx.sym.concat(a, b),
        mx.sym.concat(b, a),
        mx.sym.concat(a, b, dim=2),
        mx.sym.transpose(a, axes=(0, 2, 1, 3)),
        mx.sym.transpose(a, axes=(0, 1, 3, 2)),
        mx.sym.slice_axis(a, axis=1, begin=0, end=4),
        mx.sym.slice_axis(a, axis=1, begin=4, end=8),
        mx.sym.slice_axis(a, axis=2, begin=4, end=8),
        mx.sym.batch_dot(a, b),
        mx.sym.batch_dot(a, b, transpose_b=True),
        norm(a),
        norm(a, axis=2),
        norm(mx.sym.relu(a)),
        mx.sym.softmax(a),
        mx.sym.SoftmaxOutput(a),
        mx.sym.Dropout(a, mode="always"),
        mx.sym.Pooling(a, kernel=(3, 3)),
        mx.sym.Pooling(a, kernel=(3, 3), pool_type="avg"),
        mx.sym.Pooling(a, kernel=(3, 3), stride=(2, 2)),
        mx.sym.Pooling(a, kernel=(3, 3), stride=(2, 2), pooling_convention="full"),
    ]
    found = [frozenset(layers_of(ending(symbol))) for symbol in different]
    assert len(set(found)) == len(different)


def test_the_concatenation_of_dual_paths_is_told_from_its_reverse(data):
    a, b = conv(data, name="a"), conv(data, 4, name="b")
    assert not alike(ending(mx.sym.concat(a, b)), ending(mx.sym.concat(b, a)))


def test_two_norms_of_one_tensor_are_told_apart_by_what_reads_them(data):
    def two(first, second):
        norms = [mx.sym.BatchNorm(data, name=name) for name in (first, second)]
        narrow = conv(mx.sym.relu(norms[0]), 4, "narrow")
        return mx.sym.concat(narrow, conv(mx.sym.relu(norms[1]), 8, "wide"))

    ours, theirs = layers_of(two("a", "b")), layers_of(two("b", "a"))
    assert all(len(layers) == 1 for layers in ours.values())
    assert set(ours) == set(theirs) and ours != theirs


def uses(symbol):
    """{name of a layer: what is made of it}."""
    alike = Meaning(nodes_of(symbol)).layers.values()
    return {layer.node.name: layer.use for layers in alike for layer in layers}


def test_layers_of_one_meaning_are_told_apart_by_the_side_of_a_product_that_they_are(data):
    def attention(first, second):
        q, k, v = (conv(data, name=name) for name in (first, second, "v"))
        weights = mx.sym.softmax(mx.sym.batch_dot(q, k, transpose_a=True), axis=2)
        return ending(mx.sym.batch_dot(v, weights, transpose_b=True))

    ours, theirs = uses(attention("a", "b")), uses(attention("b", "a"))
    assert len(set(ours.values())) == 4
    assert (ours["a"], ours["b"]) == (theirs["b"], theirs["a"]) and ours["v"] == theirs["v"]


def test_layers_of_which_the_same_is_made_have_one_use(data):
    twins = uses(ending(conv(data, name="a") + conv(data, name="b")))
    assert twins["a"] == twins["b"] != twins["last"]


@pytest.mark.parametrize("op", ["elemwise_add", "Concat"])
def test_sums_that_double_again_and_again_are_refused(op):
    nodes = [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "w", "inputs": []},
        {
            "op": "Convolution",
            "name": "conv",
            "attrs": {"num_filter": "1", "kernel": "(1, 1)"},
            "inputs": [[0, 0, 0], [1, 0, 0]],
        },
    ]
    for i in range(60):
        last = len(nodes) - 1
        nodes.append({"op": op, "name": f"x{i}", "inputs": [[last, 0, 0]] * 2})
    with pytest.raises(InputError, match="x8 has 512 parts, at most 500 are read"):
        Meaning(parse_nodes(nodes))


@pytest.mark.parametrize(("operators", "refused"), [(1000, False), (graph.MAX_NODES, True)])
def test_values_that_very_many_layers_read_are_refused_quickly(operators, refused):
    """Every product is read by a layer and by the next product."""
    nodes = [{"op": "null", "name": "data", "inputs": []}]
    x = 0
    while len(nodes) + 3 <= operators:
        place = len(nodes)
        nodes.append({"op": "null", "name": "w", "inputs": []})
        attrs = {"num_filter": "8", "kernel": "(1, 1)"}
        inputs = [[x, 0, 0], [place, 0, 0]]
        nodes.append({"op": "Convolution", "name": "conv", "attrs": attrs, "inputs": inputs})
        inputs = [[x, 0, 0], [place + 1, 0, 0]]
        nodes.append({"op": "elemwise_mul", "name": "product", "inputs": inputs})
        x = place + 2
    start = time.perf_counter()
    if refused:
        with pytest.raises(InputError, match="product is read by over 500 layers"):
            Meaning(parse_nodes(nodes))
    else:
        assert len(Meaning(parse_nodes(nodes)).layers) == 333
    assert time.perf_counter() - start < 5
