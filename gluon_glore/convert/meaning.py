"""What every layer of a graph computes, so that the layers of two graphs can be matched.

`Meaning` gives each layer a digest, its meaning. Names, order and shapes of operators don't count
in it, what is computed does. So layers of two spellings of a network, and with them their
parameters, find each other whatever they are called.
"""

from collections import defaultdict
from hashlib import sha1
from typing import Dict, NamedTuple

from ..networks.graph import PARAMETERS, Node, pool_window
from ..utils.errors import InputError
from .channels import (
    ADD,
    CONCAT,
    MAX_PARTS,
    MULTIPLY,
    SAME,
    SWAP,
    read_channels,
    whole,
    width_given,
)

# Operators that the layers behind them are looked for through, whichever input they are.
_PASSING = SAME | ADD | CONCAT | MULTIPLY | SWAP | {"slice_axis"}


class Layer(NamedTuple):
    """An operator with parameters: its node and the names of its variables by their role.

    `use` is a digest of all that is made of it, to the end of the graph.
    """

    node: Node
    parameters: Dict[str, str]
    use: str


class Meaning:
    """What a graph computes: `layers` has its operators with parameters by their meaning.

    A meaning is a digest of the operator and of the meanings of its inputs, down to the data. In
    `layers` it is also of the layers that read it next: two BatchNorms of one tensor differ in
    nothing else. Left out are operators that only shape an array, the order of sums and products,
    the nesting of concatenations and slices of them, the spelling of one operator as another (a
    dense layer, a 1x1 convolution in one, two or three dimensions), and values: weights,
    BatchNorm's eps and momentum.

    Raises InputError where an attribute can't be read, or where a sum or concatenation has more
    than `MAX_PARTS` parts, or a value as many readers.
    """

    def __init__(self, nodes):
        self.nodes = nodes
        self.layers = defaultdict(list)
        self._swapped = {}  # the meaning before a swap of axes, by that behind it
        self._meanings = {}  # by the place of the node, of those that are a source
        read_channels(nodes, self._source)
        readers = self._readers()
        uses = self._uses()
        for place, node in enumerate(nodes):
            if self._is_layer(place):
                meaning = _digest(self._meanings[place], *sorted(readers[place]))
                self.layers[meaning].append(Layer(node, self._parameters(node), uses[place]))

    def _is_layer(self, place):
        node = self.nodes[place]
        return node.op in PARAMETERS and bool(node.inputs)

    def _data(self, place):
        """The inputs of a node that are no parameters of a layer."""
        node = self.nodes[place]
        single = self._is_layer(place) or node.op in SAME
        return node.inputs[:1] if single else node.inputs

    def _readers(self):
        """For each node, the set of the meanings of the layers that read it next."""
        readers = [set() for _ in self.nodes]
        for place in reversed(range(len(self.nodes))):
            is_layer = self._is_layer(place)
            found = {self._meanings[place]} if is_layer else readers[place]
            for i in self._data(place):
                readers[i] |= found
                self._check_few(i, readers[i])
        return readers

    def _uses(self):
        """For each node, a digest of all that is made of it and of where it goes in.

        An attention's keys and queries are alike but for the side of the product that each is.
        """
        tokens, uses = [set() for _ in self.nodes], [""] * len(self.nodes)
        for place in reversed(range(len(self.nodes))):
            uses[place] = _digest(*sorted(tokens[place]))
            passing = self.nodes[place].op in _PASSING
            for position, i in enumerate(self._data(place)):
                if passing:
                    tokens[i] |= tokens[place]
                else:
                    tokens[i].add((self._meanings[place], position, uses[place]))
                self._check_few(i, tokens[i])
        return uses

    def _check_few(self, place, readers):
        if len(readers) > MAX_PARTS:
            raise InputError(f"{self.nodes[place].name} is read by over {MAX_PARTS} layers")

    def _source(self, place, node, inputs):
        """The value of an operator that is a source of channels: its meaning."""
        if node.op in SWAP and inputs:
            self._meanings[place] = self._swap(node, inputs[0])
        elif self._is_layer(place):
            self._meanings[place] = _digest(*_computed(node), _meaning(inputs[0]))
        else:
            meanings = [_meaning(value) for value in inputs]
            if node.op in MULTIPLY | ADD:
                meanings.sort()
            self._meanings[place] = _digest(*_spelling(node), *meanings)
        return whole(self._meanings[place], width_given(node, inputs))

    def _parameters(self, node):
        """The names of a layer's variables by their role."""
        roles = PARAMETERS[node.op]
        names = [self.nodes[i].name for i in node.inputs[1:]]
        # Old files have no nodes for the statistics.
        if len(names) < len(roles) and node.op == "BatchNorm":
            names += [f"{node.name}_moving_{which}" for which in ("mean", "var")]
        return dict(zip(roles, names))

    def _swap(self, node, value):
        """The meaning of a transposition; two swaps of the axes 1 and 2 cancel each other."""
        if node.op == "SwapAxis":
            axes = tuple(sorted((node.number("dim1", 0), node.number("dim2", 0))))
        else:
            axes = node.numbers("axes", ())[1:3]
        inner = _meaning(value)
        if axes not in ((1, 2), (2, 1)) or node.op == "transpose" and axes == (1, 2):
            return _digest(*_spelling(node), inner)
        if inner in self._swapped:
            return self._swapped[inner]
        outer = _digest("swap", inner)
        self._swapped[outer] = inner
        return outer


def _computed(node):
    """What a layer computes of its input."""
    if node.op == "BatchNorm":
        return ("BatchNorm", node.number("axis", 1))
    return (*_linear(node), node.width, node.flag("no_bias", False))


def _linear(node):
    """What a convolution or dense layer computes: the same where both are one matrix product."""
    if node.op == "FullyConnected":
        return ("linear",)
    if node.attrs.get("layout", "None")[-1:] == "C":
        return ("channels last",)
    kernel = node.numbers("kernel", ())
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    stride, dilate = node.numbers("stride", ones), node.numbers("dilate", ones)
    pad, groups = node.numbers("pad", zeros), node.number("num_group", 1)
    if kernel == stride == ones and pad == zeros and groups == 1:
        return ("linear",)
    return ("convolution", kernel, stride, pad, dilate, groups)


def _spelling(node):
    """What an operator without parameters computes, the same for all its names."""
    if node.op in ("Activation", "relu", "sigmoid"):
        return (node.attrs.get("act_type", node.op),)
    if node.op == "null":
        return ("variable",)
    if node.op in MULTIPLY:
        return ("product",)
    if node.op in ADD:
        return ("sum",)
    if node.op == "batch_dot":
        return ("dot", node.flag("transpose_a", False), node.flag("transpose_b", False))
    if node.op == "Pooling":
        return ("pool", node.attrs.get("pool_type", "max"), *pool_window(node))
    return (node.op, *sorted(node.attrs.items()))


def _digest(*parts):
    """A meaning: the sha1 hex digest of what it is made of."""
    return sha1(repr(parts).encode()).hexdigest()


def _meaning(value):
    """The meaning of a value of channels."""
    segments = [_sum(segment.parts) for segment in value]
    return segments[0] if len(segments) == 1 else _digest("concat", *segments)


def _sum(parts):
    """The meaning of a sum of parts; that of a single whole one is its source's."""
    terms = [
        part.source if part.is_whole else _digest("slice", part.source, part.begin, part.end)
        for part in parts
    ]
    return terms[0] if len(terms) == 1 else _digest("sum", *sorted(terms))
