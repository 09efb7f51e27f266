"""Parameters and multiply-adds of a network, counted on its static graph, whoever made it.

What counts as a multiply-add says `plan/complexity.py`, which counts the networks of a spec.
"""

import dataclasses
import json

import mxnet as mx
import numpy as np

from ..plan.complexity import OperatorCount
from .network import Network


def count(symbol, input_shape):
    """A list of `OperatorCount`: the operators of a symbol that have parameters or multiply-adds.

    `input_shape` is `(channels, *pixels)`. A parameter that several operators read counts at the
    first one; those that only lay it out for another do not read it. BatchNorm's running statistics
    are no parameters.
    """
    data = {"data": (1, *input_shape)}
    internals = symbol.get_internals()
    _, shapes, _ = internals.infer_shape(**data)
    shape_of = dict(zip(internals.list_outputs(), shapes))
    parameters = set(symbol.list_arguments()) - {"data"}
    nodes = json.loads(symbol.tojson())["nodes"]

    def shape(entry):
        name = nodes[entry[0]]["name"]
        if nodes[entry[0]]["op"] == "null":
            return shape_of[name]
        return shape_of.get(f"{name}_output") or shape_of[f"{name}_output{entry[1]}"]

    counted, seen, made_of = [], set(), {}
    for index, node in enumerate(nodes):
        if node["op"] == "null":
            if node["name"] in parameters:
                made_of[index] = {node["name"]}
            continue
        inputs = [shape(entry) for entry in node["inputs"]]
        read = set().union(*(made_of.get(entry[0], ()) for entry in node["inputs"])) - seen
        if all(entry[0] in made_of for entry in node["inputs"]):
            made_of[index], read = read, set()  # of parameters alone: its reader's
        seen |= read
        size = sum(int(np.prod(shape_of[name])) for name in read)
        macs = _macs(node, inputs, lambda index=index: shape((index, 0)))
        if size or macs:
            counted.append(OperatorCount(node["name"], node["op"], size, macs))
    return counted


def _macs(node, inputs, output):
    """Multiply-adds of an operator; `inputs` are its inputs' shapes, `output()` is its own."""
    if node["op"] == "Convolution":  # the weight is (out, in / groups, *kernel)
        return int(np.prod(output())) * int(np.prod(inputs[1][1:]))
    if node["op"] == "FullyConnected":
        return int(np.prod(inputs[1]))
    if node["op"] == "batch_dot":
        transposed = node.get("attrs", {}).get("transpose_a") == "True"
        return int(np.prod(output())) * inputs[0][1 if transposed else 2]
    return 0


def count_network(net, input_size=None):
    """The operators of a `Network` at `input_size` pixels (default: its spec's), as of `count`.

    At another number of frames than its own, which it refuses to compute on, they are those of the
    network of a spec with that size. Raises InputError where there is none.
    """
    size = input_size or net.spec.input_size
    if net.spec.clip_frames not in (0, size[0]):
        net = Network(dataclasses.replace(net.spec, input_size=tuple(size)), net.classes)
    return count(net(mx.sym.var("data")), (net.spec.in_channels, *size))
