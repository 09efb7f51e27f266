"""A network's graph for training in bfloat16 on processors, from float32 parameters.

Micikevicius et al., Mixed Precision Training, 2018 (https://arxiv.org/abs/1710.03740). bfloat16 has
the range of float32, so that gradients need no scale (Kalamkar et al., A Study of BFLOAT16 for Deep
Learning Training, 2019, https://arxiv.org/abs/1905.12322).

Operators of `LOWERED` run in bfloat16. They are right in it, forward and backward, on arrays that
oneDNN keeps in blocks and on others, which tests/train/engine/test_bfloat16.py shows. All others
run in float32. Of MXNet 1.9.1's, batch_dot refuses bfloat16, a transpose of four axes overruns its
memory, and the gradient of broadcast_mul adds up in 8 bits.
"""

import dataclasses

import mxnet as mx
from mxnet.gluon import HybridBlock

from gluon_glore.export.symbol_graph import PART, Graph, read_symbol, write_symbol
from gluon_glore.networks.graph import Node

# What runs in bfloat16, and the attributes with which it is right; None is one that is not given.
LOWERED = {
    "Activation": {"act_type": ("relu",)},
    "BatchNorm": {"axis": (None, "1")},
    "Concat": {},
    "Convolution": {},
    "Flatten": {},
    "Pooling": {"pool_type": (None, "max", "avg")},
    "Reshape": {},
    "SliceChannel": {"axis": ("0", "1", None)},
    "add_n": {},
    "elemwise_add": {},
    "reshape_like": {},
    "slice_axis": {},
    "zeros_like": {},
}
# How many inputs say what an operator's values are: others are parameters, or give a shape.
DATA = {"Convolution": 1, "BatchNorm": 1, "reshape_like": 1}
RESHAPES = {"Flatten", "Reshape", "reshape_like"}

# What the values of an operator are.
RAW = "raw"  # float32, no convolution before it: pixels, and parameters
LOW = "low"  # bfloat16
FULL = "full"  # float32, bfloat16 from the next convolution on


class Bfloat16(HybridBlock):
    """The graph of `block` for training, in bfloat16 where that is right.

    Takes and returns what `block` does, float32, with the very parameters of `block` and none of
    its own: they stay float32, and so do their gradients and BatchNorm's statistics. `block` itself
    is not changed: evaluate and export that. The first convolution stays float32: of three channels
    it leaves oneDNN's blocks in bfloat16, and the layers behind it are slow. With `pixels` False
    the block is a later part of a network, and its first convolution is bfloat16 as any other.
    """

    def __init__(self, block, pixels=True):
        super().__init__(prefix="")
        self._input = RAW if pixels else FULL
        self._block = (block,)  # not as a child, which hybridize() and cast() would reach
        self._added = frozenset()
        self.hybridize(static_alloc=True, static_shape=True)  # custom operators fail else

    def collect_params(self, select=None):
        """The parameters of the block."""
        return self._block[0].collect_params(select)

    def forward(self, x):
        """What the block makes of x, `(B, ...) -> (B, ...)`."""
        params = self.collect_params().items()
        added = frozenset(name for name, param in params if param.grad_req == "add")
        if added != self._added:  # it is another graph
            self._added = added
            self._clear_cached_op()
        return super().forward(x)

    def hybrid_forward(self, F, x):
        """What the block makes of x, `(B, ...) -> (B, ...)`."""
        # Called with symbols, once, to draw the graph.
        outputs = self._block[0](x)
        if not isinstance(outputs, (list, tuple)):
            return lowered(outputs, {x.name: self._input}, self._added)
        return list(lowered(mx.sym.Group(outputs), {x.name: self._input}, self._added))


def lowered(symbol, given=None, added=()):
    """A symbol of float32 variables and outputs that computes in bfloat16 where that is right.

    `given` says what the values of variables are, RAW where not. `added` are the variables whose
    gradients are added up. Each array is cast once. Raises InputError where `read_symbol` does.
    """
    graph = read_symbol(symbol)
    readers = {name: [graph.nodes[i] for i in names] for name, names in graph.readers().items()}
    nodes, values, given = {}, {}, given or {}

    def cast(name, dtype):
        """The name of a node's values in a type."""
        if dtype == ("bfloat16" if values[name] == LOW else "float32"):
            return name
        made, source = f"{name}_{dtype}", name
        if name in added:  # the gradient of a cast is never added, and nothing says so
            source = f"{name}_copy"
            nodes[source] = Node(source, "_copy", {}, (name,))
        nodes[made] = Node(made, "amp_cast", {"dtype": dtype}, (source,))
        return made

    for name, node in graph.nodes.items():
        read = [values[i] for i in node.inputs]
        values[name] = given.get(name) or _values_of(node, read, readers[name])
        inputs = node.inputs
        if values[name] == LOW and node.op != PART:
            count = 1 if node.op == "BatchNorm" else len(inputs)
            inputs = (*(cast(i, "bfloat16") for i in inputs[:count]), *inputs[count:])
        elif node.op != PART:
            inputs = tuple(cast(i, "float32") for i in inputs)
        nodes[name] = dataclasses.replace(node, inputs=inputs)
    return write_symbol(Graph(nodes, tuple(cast(head, "float32") for head in graph.heads)))


def _values_of(node, given, readers):
    """What the values of an operator are, from those of its inputs and the nodes that read it."""
    if node.op == PART:
        return given[0]
    read = set(given[: DATA.get(node.op)])
    if read <= {RAW}:
        return FULL if node.op == "Convolution" else RAW
    # A reshaped array is still in oneDNN's blocks, and a cast of it fails.
    cast = node.op in RESHAPES and not all(map(_is_lowered, readers))
    lowers = LOW in read or node.op == "Convolution"
    return LOW if lowers and _is_lowered(node) and not cast else FULL


def _is_lowered(node):
    """Whether an operator runs in bfloat16 where its inputs do."""
    allowed = LOWERED.get(node.op)
    return allowed is not None and all(node.attrs.get(key) in allowed[key] for key in allowed)
