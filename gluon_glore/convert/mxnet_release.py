"""The authors' released MXNet networks, and others of their kind: a symbol and a parameter file.

The graph decides, not names: `graph_spec.recognize` reads the spec off it, a network is built from
that, and each of its layers must then compute what a layer of the file's graph computes
(`meaning.Meaning`).
"""

import dataclasses
import json
from collections import Counter

import mxnet as mx
import numpy as np

from ..networks.graph import first_convolution, parse_nodes, read_graph
from ..networks.network import Network
from ..utils.errors import InputError, listed
from ..weights.names import without_kinds
from ..weights.params_file import read_params
from .graph_spec import eps_of, momentum_of, recognize
from .meaning import Meaning
from .recognized import Recognized

__all__ = ["as_in_file", "match", "read_release", "recognize"]


def read_release(symbol, params) -> Recognized:
    """The network of a released symbol file and its parameter file.

    Raises InputError where either is damaged, the graph is none of the networks here, or parameters
    are left over on either side, naming them.
    """
    nodes = read_graph(symbol)
    try:
        return match(recognize(nodes), nodes, read_params(params))
    except InputError as error:
        raise InputError(f"{symbol}: {error}") from None


def match(spec, nodes, arrays) -> Recognized:
    """Match a graph's layers with those of the spec's network, and take over their parameters.

    `arrays` are those of the file, by the names of the graph's variables, with or without `arg:`
    and `aux:`. Raises InputError naming what has no counterpart, on either side.
    """
    arrays = without_kinds(arrays)
    stem = first_convolution(nodes)
    stem = arrays.get(as_in_file(nodes[stem.inputs[1]].name, arrays))
    if stem is not None and stem.ndim > 1:  # no graph says how many channels its data has
        spec = dataclasses.replace(spec, in_channels=stem.shape[1])
    net = Network(spec)
    ours = Meaning(parse_nodes(json.loads(net(mx.sym.var("data")).tojson())["nodes"])).layers
    theirs = Meaning(nodes).layers
    shapes = {name: param.shape for name, param in net.collect_params().items()}
    problems = [
        f"{layer.node.name} computes nothing that {_title(spec)} does"
        for meaning, layers in theirs.items()
        for layer in layers[len(ours.get(meaning, ())) :]
    ]
    problems += [
        f"{layer.node.name} of {_title(spec)} is missing"
        for meaning, layers in ours.items()
        for layer in layers[len(theirs.get(meaning, ())) :]
    ]
    filled, notes, read = {}, Counter(), set()
    for meaning, layers in ours.items():
        for our, their in _pairs(layers, theirs.get(meaning, ()), sure=not problems):
            if "gamma" in our.parameters and momentum_of(their.node) != spec.momentum:
                notes[
                    f"BatchNorms have a momentum of {momentum_of(their.node):g}, all have "
                    f"{spec.momentum:g} here"
                ] += 1
            for role, name in our.parameters.items():
                source = as_in_file(their.parameters.get(role, ""), arrays)
                read.add(source)
                value = arrays.get(source)
                if role == "gamma" and their.node.flag("fix_gamma", True):
                    value = np.ones(shapes[name], np.float32)
                    notes["BatchNorms have a fixed gamma of 1"] += 1
                if value is None:
                    problems.append(f"{source or name} is missing in the parameter file")
                    continue
                if _longer_axes(value.shape) != _longer_axes(shapes[name]):
                    problems.append(f"{source} is {value.shape}, not {shapes[name]}")
                    continue
                if role == "running_var" and eps_of(their.node) != spec.eps:
                    # The same sum; the spec has one eps for all, the smallest.
                    value = value + np.float32(eps_of(their.node) - spec.eps)
                    notes[
                        f"BatchNorms have an eps of {eps_of(their.node):g}, added to the variance"
                    ] += 1
                filled[name] = value.reshape(shapes[name])
    problems += [f"{name} is read by no layer" for name in arrays if name not in read]
    if problems:
        raise InputError(
            f"{len(problems)} things can't be mapped onto {_title(spec)}: {listed(problems)}"
        )
    notes = tuple(f"{n} {text}" for text, n in notes.items())
    return Recognized(spec, filled, notes)


def _pairs(ours, theirs, sure):
    """Pairs of our and their layers of one meaning, in a list.

    Where several have it, as keys and queries of attention do, what is made of them tells them
    apart. Raises InputError where that can't, unless graphs are not `sure` to be alike: then there
    is more to say than this.
    """
    if len(ours) == 1 or len(ours) != len(theirs):
        return list(zip(ours, theirs))
    by_use = {layer.use: layer for layer in theirs}
    if {layer.use for layer in ours} != set(by_use) or len(by_use) < len(ours):
        names = ", ".join(layer.node.name for layer in theirs)
        if sure:
            raise InputError(f"the layers {names} can't be told apart: they compute the same")
        return []
    return [(layer, by_use[layer.use]) for layer in ours]


def as_in_file(name, arrays):
    """The name in the file of a parameter of the graph: "moving" or "running" statistics."""
    other = name.replace("_moving_", "_running_")
    if other == name:
        other = name.replace("_running_", "_moving_")
    return other if name not in arrays and other in arrays else name


def _longer_axes(shape):
    """The sizes other than 1: a weight is (N, C, 1) in a convolution, (N, C) in a dense layer."""
    return [size for size in shape if size != 1]


def _title(spec):
    blocks = ",".join(str(stage.blocks) for stage in spec.stages)
    return f"the {spec.family} of {blocks} units, extra units {spec.placement}"
