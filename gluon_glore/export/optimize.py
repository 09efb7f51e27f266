"""A traced network for inference only: the same outputs from fewer and cheaper operators.

A pass takes a `Graph` and its arrays and returns new ones. The result has standard operators only,
so that it loads, exports and quantises as the network itself does. Operators of one kind of
processor are fused when it is loaded: `fuse_for_cpu`.
"""

import dataclasses
import warnings

import mxnet as mx
import numpy as np

from ..networks.graph import SPLITS, WIDTHS, Node
from ..utils.errors import InputError
from ..weights.names import without_kinds
from .symbol_graph import PART, Graph, arrays_of, read_symbol, redirected, write_symbol

RESHAPES = {"Reshape", "reshape", "reshape_like", "Flatten", "flatten"}
LAYOUTS = {*RESHAPES, *SPLITS, PART, "Concat", "transpose", "SwapAxis", "expand_dims", "squeeze"}


def optimize(symbol, arrays):
    """The same outputs for inference: (symbol, `{"arg:NAME" or "aux:NAME": NDArray}`).

    Dropout and copies are left out, and parameters laid out as they are read; a BatchNorm that
    alone reads a convolution becomes part of it, whose bias is then `<name>_bias`; the others take
    their running statistics in training, too. What is given stays as it is. Raises InputError where
    an array is missing, and as `read_symbol`.
    """
    graph = read_symbol(symbol)
    arrays = {name: array.asnumpy() for name, array in without_kinds(arrays).items()}
    missing = set(symbol.list_inputs()) - set(arrays) - {"data"}
    if missing:
        raise InputError(f"no array for {', '.join(sorted(missing)[:5])} of the symbol")
    for simplify in (drop_copies, lay_out, fold_norms, freeze_norms):
        graph, arrays = simplify(graph, arrays)
    symbol = write_symbol(graph)
    arrays = {name: mx.nd.array(a, dtype=a.dtype) for name, a in arrays.items()}
    return symbol, arrays_of(symbol, arrays)


def fuse_for_cpu(symbol, arrays, shape):
    """(symbol, arrays) with oneDNN's fused operators, each in the place of several.

    The input is of `shape`, or another size of as many axes. A convolution takes in the sum and the
    ReLU that follow it, a BatchNorm the ReLU. For inference in this process, on MXNet's CPU build:
    such a symbol is neither stored nor run elsewhere.
    """
    graph = fuse_rectifiers(read_symbol(symbol), _four_axes(symbol, arrays, shape))
    plain = {kind: _of_kind(arrays, kind) for kind in ("arg", "aux")}
    # Without inferring shapes: no fused operator depends on the input's size.
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


def fuse_rectifiers(graph, four_axes):
    """A BatchNorm and the ReLU that alone reads it become one operator, which takes four axes.

    `four_axes` are the operators that give these.
    """
    nodes, source, readers = dict(graph.nodes), {}, graph.readers()
    for name, node in graph.nodes.items():
        norm = nodes[node.inputs[0]] if node.attrs.get("act_type") == "relu" else node
        if node is norm or norm.op != "BatchNorm" or norm.name not in four_axes:
            continue
        alone = readers[norm.name] == [name] and norm.name not in graph.heads
        if alone and norm.number("axis", 1) == 1:
            nodes[norm.name] = dataclasses.replace(norm, op="_contrib_BatchNormWithReLU")
            source[name] = norm.name
    return redirected(Graph(nodes, graph.heads), source)


def _four_axes(symbol, arrays, shape):
    """The names of the operators whose output has four axes, for an input of `shape`."""
    inside, read = symbol.get_internals(), set(symbol.list_inputs())
    known = {name: array.shape for name, array in without_kinds(arrays).items() if name in read}
    _, shapes, _ = inside.infer_shape_partial(data=shape, **known)
    outputs = zip(inside.list_outputs(), shapes)
    return {name.removesuffix("_output") for name, shape in outputs if len(shape) == 4}


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
    return redirected(graph, source), arrays


def lay_out(graph, arrays):
    """Parameters in the layout that convolutions read, without the operators that give it.

    One that is made of a single parameter, which nothing else reads, has its name.
    """
    readers, sources = graph.readers(), {}
    for name, node in graph.nodes.items():  # the parameters that each array is made of
        if name in arrays:
            sources[name] = {name}
        elif node.op in LAYOUTS and all(source in sources for source in node.inputs):
            sources[name] = set().union(*(sources[source] for source in node.inputs))
    made = [
        name
        for name in sources
        if name not in arrays
        and (name in graph.heads or any(reader not in sources for reader in readers[name]))
    ]
    if not made:
        return graph, arrays
    symbol = write_symbol(Graph(graph.nodes, tuple(made)))
    given = {
        name: mx.nd.array(arrays[name], dtype=arrays[name].dtype) for name in symbol.list_inputs()
    }
    values = dict(zip(made, symbol.eval(mx.cpu(), **given)))
    left = {n: node for n, node in graph.nodes.items() if n not in sources or n in arrays}
    arrays, variables, renamed = dict(arrays), {}, {}
    for name, value in values.items():
        alone = sum(len(sources[name] & sources[other]) for other in made) == 1
        (parameter, *_) = sources[name]
        if alone and all(reader in sources for reader in readers[parameter]):
            renamed[name] = parameter
        called = renamed.get(name, name)
        arrays[called] = value.asnumpy()
        variables[called] = Node(called, "null", {}, ())
    # A parameter's own node has the shape that it had.
    left = {name: node for name, node in left.items() if name not in variables}
    return redirected(Graph({**variables, **left}, graph.heads), renamed), arrays


def fold_norms(graph, arrays):
    """Scale and shift of a BatchNorm in weight and bias of the convolution that it alone reads."""
    arrays, nodes, source = dict(arrays), dict(graph.nodes), {}
    readers = graph.readers()
    for name, norm in graph.nodes.items():
        if norm.op != "BatchNorm" or norm.number("axis", 1) != 1:
            continue
        conv = nodes[norm.inputs[0]]
        if not _channels_second(conv) or readers[conv.name] != [name] or conv.name in graph.heads:
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
    return redirected(Graph(nodes, graph.heads), source), arrays


def freeze_norms(graph, arrays):
    """The BatchNorms that are left, of their running statistics whatever the mode."""
    nodes = {
        name: dataclasses.replace(node, attrs={**node.attrs, "use_global_stats": "True"})
        if node.op == "BatchNorm"
        else node
        for name, node in graph.nodes.items()
    }
    return Graph(nodes, graph.heads), arrays


def _channels_second(node):
    """Whether a node is a convolution or dense layer whose channels are axis 1, as a norm's are."""
    if node.op == "FullyConnected":
        return node.flag("flatten", True)
    return node.op in WIDTHS and node.attrs.get("layout", "NC").startswith(("NC", "None"))


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
