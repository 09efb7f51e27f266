"""A symbol as a dict of its operators and variables, to be looked at and changed by name.

A graph is a dict from the names of operators and variables to their `Node`s, in an order in which
each comes after its inputs; those are names here. Where an operator has several outputs, each but
the first is a node of its own, which reads the operator: the op is `PART`.
"""

import dataclasses
import json
from typing import Dict, NamedTuple, Tuple

import mxnet as mx

from ..networks.graph import Node, parse_nodes
from ..utils.errors import InputError

PART = "part"  # no operator of MXNet's: `attrs` say the number of the output


class Graph(NamedTuple):
    """Nodes by name, and the names of those whose outputs are the graph's."""

    nodes: Dict[str, Node]
    heads: Tuple[str, ...]

    def readers(self):
        """{node: the names of the nodes that read it}."""
        readers = {name: [] for name in self.nodes}
        for name, node in self.nodes.items():
            for source in node.inputs:
                readers[source].append(name)
        return readers


def read_symbol(symbol):
    """The graph of a symbol.

    Raises InputError where two operators have one name, or a second output of an operator is read
    or given that is no part of an array.
    """
    stored = json.loads(symbol.tojson())
    nodes = parse_nodes(stored["nodes"], splits=True)
    names = [node.name for node in nodes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the symbol has two operators of the name {twice}")
    if any(output for _, output, *_ in stored["heads"]):
        raise InputError("the symbol gives a second output of an operator")
    graph = {}
    for node, written in zip(nodes, stored["nodes"]):
        inputs = []
        for place, output, *_ in written["inputs"]:
            source = names[place]
            if output:
                source = f"{names[place]}:{output}"
                graph[source] = Node(source, PART, {"output": str(output)}, (names[place],))
            inputs.append(source)
        graph[node.name] = dataclasses.replace(node, inputs=tuple(inputs))
    return Graph(graph, tuple(names[head[0]] for head in stored["heads"]))


def write_symbol(graph):
    """The symbol of a graph, without the nodes that no output needs."""
    place, nodes = {}, []

    def entry(name):
        """What reads a node writes: its place, and the number of its output."""
        node = graph.nodes[name]
        if node.op == PART:
            return [place[node.inputs[0]], node.number("output"), 0]
        return [place[name], 0, 0]

    def add(name):  # after its inputs; a stack, as networks are deeper than Python's
        stack = [name]
        while stack:
            node = graph.nodes[stack[-1]]
            wanted = [source for source in node.inputs if source not in place]
            if wanted:
                stack += reversed(wanted)
                continue
            stack.pop()
            if node.op == PART:
                place[node.name] = None  # it is written by those that read it
            elif node.name not in place:
                place[node.name] = len(nodes)
                inputs = [entry(source) for source in node.inputs]
                nodes.append(
                    {"op": node.op, "name": node.name, "attrs": node.attrs, "inputs": inputs}
                )

    for head in graph.heads:
        add(head)
    variables = [i for i, node in enumerate(nodes) if node["op"] == "null"]
    heads = [entry(head) for head in graph.heads]
    stored = {"nodes": nodes, "arg_nodes": variables, "heads": heads}
    return mx.sym.load_json(json.dumps({**stored, "attrs": {"mxnet_version": ["int", 10901]}}))


def redirected(graph, source):
    """The graph without the nodes that are keys of `source`: their readers read its values."""
    nodes = {
        name: dataclasses.replace(node, inputs=tuple(source.get(i, i) for i in node.inputs))
        for name, node in graph.nodes.items()
        if name not in source
    }
    return Graph(nodes, tuple(source.get(head, head) for head in graph.heads))


def arrays_of(symbol, arrays):
    """The arrays that a symbol reads, as MXNet's files call them: `arg:NAME`, statistics `aux:`."""
    statistics = set(symbol.list_auxiliary_states())
    return {
        f"{'aux' if name in statistics else 'arg'}:{name}": arrays[name]
        for name in symbol.list_inputs()
        if name in arrays
    }
