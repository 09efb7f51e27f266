"""What every layer of a graph computes, so that the layers of two graphs can be matched.

`Meaning` gives each layer a digest, its meaning. Names, order and shapes of operators don't count
in it, what is computed does. So layers of two spellings of a network, and with them their
parameters, find each other whatever they are called.
"""

from collections import defaultdict
from hashlib import sha1
from typing import Dict, NamedTuple, Optional

from ..networks.graph import PARAMETERS, Node, pool_window
from ..utils.errors import InputError

# Of a sum or concatenation, and of the readers of one value: a hostile graph that doubles them at
# every operator would have no end.
MAX_PARTS = 500
_SAME = {  # operators that leave the values and the order of the channels as they are
    *("Reshape", "reshape", "reshape_like", "Flatten", "flatten", "expand_dims", "squeeze"),
    *("identity", "_copy", "Dropout", "BlockGrad"),
}
_ADD = {"elemwise_add", "_plus", "_Plus", "broadcast_add", "broadcast_plus", "add_n"}
_ADD |= {"ElementWiseSum", "_grad_add"}
_MULTIPLY = {"elemwise_mul", "_mul", "_Mul", "broadcast_mul"}


class Layer(NamedTuple):
    """An operator with parameters: its node and the names of its variables by their role."""

    node: Node
    parameters: Dict[str, str]


class Segment(NamedTuple):
    """Neighbouring channels with one meaning; `width` is how many, None where that is not known."""

    meaning: str
    width: Optional[int]


class Meaning:
    """What a graph computes: `layers` has its operators with parameters by their meaning.

    A meaning is a digest of the operator and of the meanings of its inputs, down to the data. In
    `layers` it is also of the layers that read it next: two BatchNorms of one tensor differ in
    nothing else. Left out are the operators `_SAME`, the order of sums and products, the nesting of
    concatenations and slices of them, the spelling of one operator as another (a dense layer, a 1x1
    convolution in one, two or three dimensions), and values: weights, BatchNorm's eps and momentum.

    Raises InputError where an attribute can't be read, or where a sum or concatenation has more
    than `MAX_PARTS` parts, or a value as many readers.
    """

    def __init__(self, nodes):
        self.nodes = nodes
        self.layers = defaultdict(list)
        self._terms = {}  # the meanings of a sum's terms, by the sum's
        self._swapped = {}  # the meaning before a swap of axes, by that behind it
        self._layer_at = {}  # (meaning, Layer) by the place of its node
        values = []
        for place, node in enumerate(nodes):
            values.append(self._value(place, node, [values[i] for i in node.inputs]))
        readers = self._readers()
        for place, (meaning, layer) in self._layer_at.items():
            self.layers[_digest(meaning, *sorted(readers[place]))].append(layer)

    def _readers(self):
        """For each node, the set of the meanings of the layers that read it next."""
        readers = [set() for _ in self.nodes]
        for place, node in reversed(list(enumerate(self.nodes))):
            is_layer = place in self._layer_at
            found = {self._layer_at[place][0]} if is_layer else readers[place]
            data = node.inputs[:1] if is_layer or node.op in _SAME else node.inputs
            for i in data:
                readers[i] |= found
                if len(readers[i]) > MAX_PARTS:
                    raise InputError(f"{self.nodes[i].name} is read by over {MAX_PARTS} layers")
        return readers

    def _value(self, place, node, inputs):
        """The channels that a node gives, a tuple of segments; `inputs` are those it reads."""
        op = node.op
        if not inputs:
            return (Segment(_digest(*_spelling(node)), None),)
        if op in PARAMETERS:
            return self._layer(place, node, inputs[0])
        if op in _SAME and node.attrs.get("mode") != "always":  # of a Dropout: in inference, too
            return inputs[0]
        if op in _ADD:
            return _few(node, self._sum(node, inputs))
        if op in ("Concat", "concat") and node.number("dim", 1) == 1:
            return _few(node, [segment for value in inputs for segment in value])
        if op == "slice_axis":
            return self._slice(node, inputs[0])
        if op in ("transpose", "SwapAxis"):
            return self._swap(node, inputs[0])
        meanings = map(_whole, inputs)
        if op in _MULTIPLY:
            meanings = sorted(meanings)
        return (Segment(_digest(*_spelling(node), *meanings), _width(inputs[0])),)

    def _layer(self, place, node, value):
        """The channels of a node with parameters, which is noted as a layer."""
        if node.op == "BatchNorm":
            spelling, width = ("BatchNorm", node.number("axis", 1)), _width(value)
        else:
            width = node.width
            spelling = (*_linear(node), width, node.flag("no_bias", False))
        meaning = _digest(*spelling, _whole(value))
        roles = PARAMETERS[node.op]
        names = [self.nodes[i].name for i in node.inputs[1:]]
        # Old files have no nodes for the statistics.
        if len(names) < len(roles) and node.op == "BatchNorm":
            names += [f"{node.name}_moving_{which}" for which in ("mean", "var")]
        self._layer_at[place] = (meaning, Layer(node, dict(zip(roles, names))))
        return (Segment(meaning, width),)

    def _sum(self, node, inputs):
        """The channels of a sum: of sums it is one sum, of concatenations their sums in turn."""
        widths = {_width(value) for value in inputs}
        if None in widths or len(widths) > 1:
            return (self._add(node, [Segment(_whole(value), _width(value)) for value in inputs]),)
        ends = sorted({end for value in inputs for end in _ends(value)})
        return tuple(
            self._add(node, [_cut(value, start, end)[0] for value in inputs])
            for start, end in zip([0, *ends], ends)
        )

    def _add(self, node, segments):
        """The sum of segments of the same width, a segment."""
        terms = [t for s in segments for t in self._terms.get(s.meaning, (s.meaning,))]
        terms = sorted(_few(node, terms))
        meaning = _digest("sum", *terms)
        self._terms[meaning] = terms
        return Segment(meaning, segments[0].width)

    def _slice(self, node, value):
        """The channels that a slice leaves of `value`."""
        begin, width = node.number("begin"), _width(value)
        to_the_end = node.attrs.get("end", "None") == "None"
        if node.number("axis") == 0 and begin == 0 and to_the_end:
            return value
        end = width if to_the_end else node.number("end")
        if node.number("axis") != 1 or width is None or not 0 <= begin < end <= width:
            return (Segment(_digest(*_spelling(node), _whole(value)), None),)
        return _cut(value, begin, end)

    def _swap(self, node, value):
        """The channels of a transposition; two swaps of the axes 1 and 2 cancel each other."""
        if node.op == "SwapAxis":
            axes = tuple(sorted((node.number("dim1", 0), node.number("dim2", 0))))
        else:
            axes = node.numbers("axes", ())[1:3]
        if axes not in ((1, 2), (2, 1)) or node.op == "transpose" and axes == (1, 2):
            return (Segment(_digest(*_spelling(node), _whole(value)), None),)
        inner = _whole(value)
        if inner in self._swapped:
            return (Segment(self._swapped[inner], None),)
        outer = _digest("swap", inner)
        self._swapped[outer] = inner
        return (Segment(outer, None),)


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
    if node.op in _MULTIPLY:
        return ("product",)
    if node.op == "batch_dot":
        return ("dot", node.flag("transpose_a", False), node.flag("transpose_b", False))
    if node.op == "Pooling":
        return ("pool", node.attrs.get("pool_type", "max"), *pool_window(node))
    return (node.op, *sorted(node.attrs.items()))


def _few(node, parts):
    """The parts of a sum or concatenation, a tuple. Raises InputError where they are too many."""
    if len(parts) > MAX_PARTS:
        raise InputError(f"{node.name} has {len(parts)} parts, at most {MAX_PARTS} are read")
    return tuple(parts)


def _digest(*parts):
    """A meaning: the sha1 hex digest of what it is made of."""
    return sha1(repr(parts).encode()).hexdigest()


def _whole(value):
    """One meaning for all channels."""
    meanings = [segment.meaning for segment in value]
    return meanings[0] if len(meanings) == 1 else _digest("concat", *meanings)


def _width(value):
    """How many channels there are, None where that is not known."""
    widths = [segment.width for segment in value]
    return None if None in widths else sum(widths)


def _ends(value):
    """The channel behind each segment, counted from the first one's start."""
    end, ends = 0, []
    for segment in value:
        end += segment.width
        ends.append(end)
    return ends


def _cut(value, begin, end):
    """The channels from `begin` to before `end`, all widths known."""
    parts, start = [], 0
    for segment in value:
        low, high = max(begin - start, 0), min(end - start, segment.width)
        if low < high:
            whole = (low, high) == (0, segment.width)
            meaning = segment.meaning if whole else _digest("slice", segment.meaning, low, high)
            parts.append(Segment(meaning, high - low))
        start += segment.width
    return tuple(parts)
