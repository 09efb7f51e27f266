"""A traced network for inference only: the same outputs from fewer and cheaper operators.

A graph is a dict from the names of operators and variables to their `Node`s, in an order in which
each comes after its inputs; those are names here. A pass takes a graph and its arrays and returns
new ones. The result has standard operators only, so that it loads, exports and quantises as the
network itself does. Operators of one kind of processor are fused when it is loaded: `fuse_for_cpu`.
"""

import dataclasses
import json
import warnings
from typing import Dict, NamedTuple, Tuple

import mxnet as mx
import numpy as np

from ..networks.graph import WIDTHS, Node, parse_nodes
from ..utils.errors import InputError
from ..weights.names import without_kinds
from ..weights.parameters import with_kinds

RESHAPES = {"Reshape", "reshape", "reshape_like", "Flatten", "flatten"}


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


def optimize(symbol, arrays):
    """The same outputs for inference: (symbol, `{"arg:NAME" or "aux:NAME": NDArray}`).

    Dropout and copies are left out; a BatchNorm that alone reads a convolution becomes part of it,
    whose bias is then `<name>_bias`; the others take their running statistics in training, too.
    What is given stays as it is. Raises InputError where an array is missing, or the graph is not
    like those of the networks here: a name used twice, or a second output of an operator read.
    """
    graph = read_symbol(symbol)
    arrays = {name: array.asnumpy() for name, array in without_kinds(arrays).items()}
    missing = set(symbol.list_inputs()) - set(arrays) - {"data"}
    if missing:
        raise InputError(f"no array for {', '.join(sorted(missing)[:5])} of the symbol")
    for simplify in (drop_copies, fold_norms, freeze_norms):
        graph, arrays = simplify(graph, arrays)
    symbol = write_symbol(graph)
    arrays = {name: arrays[name] for name in symbol.list_inputs() if name in arrays}
    return symbol, with_kinds({name: mx.nd.array(a, dtype=a.dtype) for name, a in arrays.items()})


def fuse_for_cpu(symbol, arrays):
    """(symbol, arrays) with oneDNN's fused operators, each in the place of several.

    A convolution takes in the sum and the ReLU that follow it, a BatchNorm the ReLU. For inference
    in this process, on MXNet's CPU build: such a symbol is neither stored nor run elsewhere.
    """
    graph, _ = fuse_rectifiers(read_symbol(symbol), arrays)
    plain = {kind: _of_kind(arrays, kind) for kind in ("arg", "aux")}
    # Without inferring shapes: they would need the input's, and nothing here depends on it.
    symbol = write_symbol(graph).optimize_for("MKLDNN", plain["arg"], plain["aux"], skip_infer=True)
    return symbol, {f"{kind}:{n}": a for kind, named in plain.items() for n, a in named.items()}


def as_block(symbol, arrays, ctx=None):
    """A SymbolBlock of a symbol of "data" and its arrays, which lie on `ctx`.

    Its parameters have their values at once, not only from the first forward on, which could then
    run in several threads. Raises InputError where an array is missing.
    """
    plain = without_kinds(arrays)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Cannot decide type")  # of data: float32 by default
        block = mx.gluon.SymbolBlock(symbol, mx.sym.var("data"))
    for name, param in block.collect_params().items():
        if name not in plain:
            raise InputError(f"the symbol reads {name}, of which there are no parameters")
        param.shape, param.dtype = plain[name].shape, plain[name].dtype
        param.initialize(mx.init.Zero(), ctx)
        param.set_data(plain[name])
    return block


def fuse_rectifiers(graph, arrays):
    """A BatchNorm and the ReLU that alone reads it become one operator, which takes four axes."""
    nodes, source, readers = dict(graph.nodes), {}, graph.readers()
    if any(len(node.numbers("kernel", ())) > 2 for node in nodes.values()):
        return graph, arrays
    for name, node in graph.nodes.items():
        norm = nodes[node.inputs[0]] if node.attrs.get("act_type") == "relu" else node
        if node is not norm and norm.op == "BatchNorm" and readers[norm.name] == [name]:
            nodes[norm.name] = dataclasses.replace(norm, op="_contrib_BatchNormWithReLU")
            source[name] = norm.name
    return _redirected(Graph(nodes, graph.heads), source), arrays


def drop_copies(graph, arrays):
    """Leave out the operators whose output is their input: Dropout, and slices of the whole.

    Slices next to a reshape stay, for it needs the plain layout that they give: see
    `functional.plain_copy`.
    """
    readers, source = graph.readers(), {}
    for name, node in graph.nodes.items():
        around = {graph.nodes[i].op for i in (*node.inputs, *readers[name])}
        if _is_copy(node) and not (node.op == "slice_axis" and around & RESHAPES):
            source[name] = source.get(node.inputs[0], node.inputs[0])
    return _redirected(graph, source), arrays


def fold_norms(graph, arrays):
    """Scale and shift of a BatchNorm in weight and bias of the convolution that it alone reads."""
    arrays, nodes, source = dict(arrays), dict(graph.nodes), {}
    readers = graph.readers()
    for name, norm in graph.nodes.items():
        if norm.op != "BatchNorm" or norm.number("axis", 1) != 1:
            continue
        conv = nodes[norm.inputs[0]]
        if conv.op not in WIDTHS or readers[conv.name] != [name] or conv.name in graph.heads:
            continue
        scale, shift = _scale_and_shift(norm, arrays)
        weight, *bias = conv.inputs[1:]
        if any(len(readers[parameter]) > 1 for parameter in conv.inputs[1:]):
            continue
        arrays[weight] = arrays[weight] * scale.reshape(-1, *[1] * (arrays[weight].ndim - 1))
        if bias:
            shift += arrays[bias[0]] * scale
        else:
            bias = [f"{conv.name}_bias"]
        arrays[bias[0]] = shift
        nodes[bias[0]] = Node(bias[0], "null", {}, ())
        attrs = {**conv.attrs, "no_bias": "False"}
        inputs = (conv.inputs[0], weight, bias[0])
        nodes[conv.name] = dataclasses.replace(conv, attrs=attrs, inputs=inputs)
        source[name] = conv.name
    return _redirected(Graph(nodes, graph.heads), source), arrays


def freeze_norms(graph, arrays):
    """The BatchNorms that are left, of their running statistics whatever the mode."""
    nodes = {
        name: dataclasses.replace(node, attrs={**node.attrs, "use_global_stats": "True"})
        if node.op == "BatchNorm"
        else node
        for name, node in graph.nodes.items()
    }
    return Graph(nodes, graph.heads), arrays


def read_symbol(symbol):
    """The graph of a symbol. Raises InputError as `optimize` says."""
    stored = json.loads(symbol.tojson())
    nodes = parse_nodes(stored["nodes"])
    names = [node.name for node in nodes]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the symbol has two operators of the name {twice}")
    if any(output for _, output, *_ in stored["heads"]):
        raise InputError("the symbol gives a second output of an operator")
    by_name = {
        node.name: dataclasses.replace(node, inputs=tuple(names[i] for i in node.inputs))
        for node in nodes
    }
    return Graph(by_name, tuple(names[head[0]] for head in stored["heads"]))


def write_symbol(graph):
    """The symbol of a graph, without the nodes that no output needs."""
    place, nodes = {}, []

    def add(name):  # after its inputs; a stack, as networks are deeper than Python's
        stack = [name]
        while stack:
            node = graph.nodes[stack[-1]]
            wanted = [source for source in node.inputs if source not in place]
            if wanted:
                stack += reversed(wanted)
                continue
            stack.pop()
            if node.name not in place:
                place[node.name] = len(nodes)
                inputs = [[place[source], 0, 0] for source in node.inputs]
                nodes.append(
                    {"op": node.op, "name": node.name, "attrs": node.attrs, "inputs": inputs}
                )

    for head in graph.heads:
        add(head)
    variables = [i for i, node in enumerate(nodes) if node["op"] == "null"]
    heads = [[place[head], 0, 0] for head in graph.heads]
    stored = {"nodes": nodes, "arg_nodes": variables, "heads": heads}
    return mx.sym.load_json(json.dumps({**stored, "attrs": {"mxnet_version": ["int", 10901]}}))


def _redirected(graph, source):
    """The graph without the nodes that are keys of `source`: their readers read its values."""
    nodes = {
        name: dataclasses.replace(node, inputs=tuple(source.get(i, i) for i in node.inputs))
        for name, node in graph.nodes.items()
        if name not in source
    }
    return Graph(nodes, tuple(source.get(head, head) for head in graph.heads))


def _is_copy(node):
    """Whether a node's output is its input."""
    if node.op == "Dropout":
        return node.attrs.get("mode") != "always"
    if node.op == "slice_axis":
        return node.number("begin") == 0 and node.attrs.get("end", "None") == "None"
    return node.op in ("identity", "_copy", "BlockGrad")


def _scale_and_shift(norm, arrays):
    """BatchNorm in inference as `x * scale + shift`, a number a channel, in double precision."""
    gamma, beta, mean, variance = (arrays[name].astype("float64") for name in norm.inputs[1:])
    if norm.flag("fix_gamma", True):
        gamma = np.ones_like(gamma)
    scale = gamma / np.sqrt(variance + float(norm.attrs.get("eps", 1e-3)))
    return scale.astype("float32"), (beta - mean * scale).astype("float32")


def _of_kind(arrays, kind):
    """The arrays of a kind, "arg" or "aux", by their names without it."""
    return {name[4:]: array for name, array in arrays.items() if name.startswith(f"{kind}:")}
