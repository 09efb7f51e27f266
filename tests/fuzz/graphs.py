"""Symbols of MXNet, alone and with the parameters of a released network."""

import functools
from pathlib import Path

from gluon_glore import NetSpec, Stage, Stem
from gluon_glore.convert.graph_spec import recognize
from gluon_glore.convert.mxnet_release import match
from gluon_glore.networks.graph import data_name, first_convolution, last_layer, read_graph
from tests.helpers.released import aged, network

from .kind import Kind
from .mutate_text import mutate_json

VALUES = (None, True, -1, 0, 1, 2, 10**9, float("inf"), float("nan"), "", "x", "-1", "0", "(0, 0)")
VALUES += ("(3,)", "relu", "Convolution", "BatchNorm", "null", "add_n", "slice_axis", "Concat")
VALUES += ("Pooling", "9" * 5000, [], [[]], [[0, 0, 0]], {}, {"a": 1})
VALUES += ("conv3_B01_conv-m1__conv_weight",)


def change_graph(rng, graph):
    """One change of a graph: an operator gone, twice, elsewhere, or with another value."""
    nodes = graph.get("nodes") if isinstance(graph, dict) else None
    if not isinstance(nodes, list) or not nodes:
        return
    place = rng.randrange(len(nodes))
    node = nodes[place]
    kind = rng.randrange(8)
    if kind == 0:
        del nodes[place]
    elif kind == 1:
        nodes.insert(rng.randrange(len(nodes)), node)
    elif kind == 2:
        other = rng.randrange(len(nodes))
        nodes[place], nodes[other] = nodes[other], node
    elif not isinstance(node, dict) or not node:
        nodes[place] = rng.choice(VALUES)
    elif kind == 3:
        node[rng.choice(["op", "name", "inputs", "attrs", "attr"])] = rng.choice(VALUES)
    elif kind == 4:
        del node[rng.choice(list(node))]
    elif kind == 5 and node.get("inputs"):
        node["inputs"] = [[rng.choice([*VALUES, *range(place)]), rng.choice((0, 0, 1, "x"))]]
    elif kind == 6 and isinstance(node.get("inputs"), list):
        node["inputs"] = node["inputs"][1:]
    else:
        attributes = [n["attrs"] for n in nodes if isinstance(n, dict) and n.get("attrs")]
        attributes = [attrs for attrs in attributes if isinstance(attrs, dict)]
        if attributes:
            attrs = rng.choice(attributes)
            attrs[rng.choice(list(attrs))] = rng.choice(VALUES)


def mutate_graph(rng, seeds):
    """A symbol with a few operators or values changed."""
    return mutate_json(rng, seeds, (change_graph,))


# As small as networks of the released kind are.
STAGES = (Stage(1, 8, 1), Stage(1, 16, 2))
SPEC = NetSpec(STAGES, stem=Stem(4, 3, 1, 3), input_size=(8, 8), classes=3)
SPEC = SPEC.with_units("glore", res3=(1,))


@functools.cache
def released():
    """(symbol, arrays) of a released network."""
    symbol, arrays = network(SPEC)
    return symbol.tojson(), arrays


def symbols():
    """A released symbol, and as MXNet wrote it in 2016."""
    text, _ = released()
    return [text.encode(), aged(text).encode()]


def read_symbol(data, folder):
    """Read a symbol and recognise its network."""
    path = Path(folder) / "net-symbol.json"
    path.write_bytes(data)
    nodes = read_graph(path)
    data_name(nodes), first_convolution(nodes), last_layer(nodes)
    return nodes, recognize(nodes)


def read_network(data, folder):
    """Read a symbol, and lay the parameters onto the network that it is."""
    nodes, spec = read_symbol(data, folder)
    assert match(spec, nodes, released()[1]).classes == spec.classes


ROWS = {
    "symbol": Kind(symbols, mutate_graph, read_symbol),
    "release": Kind(symbols, mutate_graph, read_network, seconds=5.0, share=50),
}
