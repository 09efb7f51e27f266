"""Parameters and multiply-adds of a network, counted on its static graph.

A multiply-add is one multiplication and one addition in a convolution, a dense layer or a
batch_dot, as the paper's GFLOPs count them (Table 2); normalisation, activation and pooling are
not counted.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import NamedTuple

import mxnet as mx
import numpy as np

from ..plan.extra_units import EXTRA_UNITS
from ..plan.unit_names import UnitNames
from ..utils.errors import InputError
from .network import Network


@dataclass(frozen=True)
class OperatorCount:
    """An operator of the graph, the number of `parameters` it reads, its `macs` at batch 1."""

    name: str
    op: str
    parameters: int
    macs: int


class StageCount(NamedTuple):
    """A stage with all its units, and the share that its extra units (GloRe, non-local) have."""

    stage: str
    parameters: int
    macs: int
    extra_parameters: int = 0
    extra_macs: int = 0


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


def totals(nodes):
    """(parameters, multiply-adds) of a list of `OperatorCount` together."""
    return sum(n.parameters for n in nodes), sum(n.macs for n in nodes)


def by_unit(net, nodes):
    """`{unit name: (parameters, macs)}` in the plan's order, "stem" first and "head" last.

    `nodes` are `count_network(net)`. Raises InputError on an operator of another network.
    """
    names = UnitNames(net.spec)
    groups = {name: [] for name in names}
    for node in nodes:
        owner = names.of(node.name)
        if owner is None:
            raise InputError(f"operator {node.name} is of no unit of {net.spec.name}")
        groups[owner].append(node)
    return {name: totals(group) for name, group in groups.items()}


def by_stage(net, nodes):
    """A list of `StageCount` in order: "stem", "Res2" and on, "head".

    `nodes` are `count_network(net)`. Extra units are counted in their stage, and once more as its
    extra share.
    """
    costs = by_unit(net, nodes)
    stages = {}
    for number, unit in net.spec.plan_by_stage():
        stages.setdefault(f"Res{number}", []).append(unit)
    rows = [StageCount("stem", *costs["stem"])]
    for stage, units in stages.items():
        extras = [unit for unit in units if unit.kind in EXTRA_UNITS]
        rows.append(StageCount(stage, *_sum(costs, units), *_sum(costs, extras)))
    extras = [unit for unit in net.spec.head_plan() if unit.kind in EXTRA_UNITS]
    head = (a + b for a, b in zip(costs["head"], _sum(costs, extras)))
    return [*rows, StageCount("head", *head, *_sum(costs, extras))]


def _sum(costs, units):
    """(parameters, macs) of some units together, (0, 0) of none."""
    return tuple(sum(costs[unit.name][i] for unit in units) for i in (0, 1))
