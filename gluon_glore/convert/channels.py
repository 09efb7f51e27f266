"""Channels of a graph's values: which operators they come from, through sums and concatenations.

A value is a tuple of segments, neighbouring channels; a segment is the sum of parts, each of them
neighbouring channels of what one operator gives. So `a + (b + c)` and `(c + a) + b` are one value,
and a slice of a concatenation is what was concatenated.
"""

from typing import Hashable, NamedTuple, Optional, Tuple

from ..networks.graph import WIDTHS
from ..utils.errors import InputError

# Of a value: a hostile graph that doubles them at every operator would have no end.
MAX_PARTS = 500
SAME = {  # operators that leave the values and the order of the channels as they are
    *("Reshape", "reshape", "reshape_like", "Flatten", "flatten", "expand_dims", "squeeze"),
    *("identity", "_copy", "Dropout", "BlockGrad"),
}
ADD = {"elemwise_add", "_plus", "_Plus", "broadcast_add", "broadcast_plus", "add_n"}
ADD |= {"ElementWiseSum", "_grad_add"}
MULTIPLY = {"elemwise_mul", "_mul", "_Mul", "broadcast_mul"}
CONCAT = {"Concat", "concat"}
SWAP = {"transpose", "SwapAxis"}


class Part(NamedTuple):
    """Channels `begin` to before `end` of the `of` that `source` gives; None where not known."""

    source: Hashable
    begin: int
    end: Optional[int]
    of: Optional[int]

    @property
    def is_whole(self):
        """Whether these are all channels of the source."""
        return (self.begin, self.end) == (0, self.of)


class Segment(NamedTuple):
    """The sum of `parts`, sorted; `width` channels each, None where that is not known."""

    parts: Tuple[Part, ...]
    width: Optional[int]


def whole(source, width):
    """The value that is all `width` channels of `source`."""
    return (Segment((Part(source, 0, width, width),), width),)


def width_of(value):
    """How many channels a value has, None where that is not known."""
    widths = [segment.width for segment in value]
    return None if None in widths else sum(widths)


def source_of(value):
    """The source that all of a value is, None where it is a sum, a slice or a concatenation."""
    if len(value) != 1 or len(value[0].parts) != 1 or not value[0].parts[0].is_whole:
        return None
    return value[0].parts[0].source


def sources_of(value):
    """The set of all sources of a value."""
    return {part.source for segment in value for part in segment.parts}


def without(value, sources):
    """A value without the parts of some sources; segments of nothing else are gone."""
    left = []
    for segment in value:
        parts = tuple(part for part in segment.parts if part.source not in sources)
        if parts:
            left.append(Segment(parts, segment.width))
    return _merged(left)


def cut(value, begin, end):
    """The channels from `begin` to before `end`, all widths known."""
    segments, start = [], 0
    for segment in value:
        low, high = max(begin - start, 0), min(end - start, segment.width)
        if low < high:
            parts = (Part(p.source, p.begin + low, p.begin + high, p.of) for p in segment.parts)
            segments.append(Segment(tuple(parts), high - low))
        start += segment.width
    return _merged(segments)


def _add(values):
    """The sum of values as wide as each other, all widths known."""
    ends = sorted({end for value in values for end in _ends(value)})
    segments = []
    for start, end in zip([0, *ends], ends):
        slices = (cut(value, start, end)[0] for value in values)
        parts = sorted(part for segment in slices for part in segment.parts)
        segments.append(Segment(tuple(parts), end - start))
    return _merged(segments)


def _ends(value):
    """The channel behind each segment, counted from the first one's start."""
    end, ends = 0, []
    for segment in value:
        end += segment.width
        ends.append(end)
    return ends


def _merged(segments):
    """The value of segments: neighbours that go on where the last one ends become one."""
    merged = []
    for segment in segments:
        last = merged[-1] if merged else None
        if last and [(p.source, p.end) for p in last.parts] == [
            (p.source, p.begin) for p in segment.parts
        ]:
            parts = (a._replace(end=b.end) for a, b in zip(last.parts, segment.parts))
            merged[-1] = Segment(tuple(parts), last.width + segment.width)
        else:
            merged.append(segment)
    return tuple(merged)


def read_channels(nodes, source):
    """The value of every node of a graph, a list.

    `source(place, node, inputs)` is the value of an operator that neither adds, concatenates,
    slices nor only shapes its channels; `inputs` are the values that it reads. Raises InputError
    where an attribute can't be read or a value has more than `MAX_PARTS` parts.
    """
    values = []
    for place, node in enumerate(nodes):
        inputs = [values[i] for i in node.inputs]
        value = _value(node, inputs) if inputs else None
        value = source(place, node, inputs) if value is None else value
        parts = sum(len(segment.parts) for segment in value)
        if parts > MAX_PARTS:
            raise InputError(f"{node.name} has {parts} parts, at most {MAX_PARTS} are read")
        values.append(value)
    return values


def _value(node, inputs):
    """The value of a sum, concatenation, slice or shape, None where it can't be said."""
    if node.op in SAME and node.attrs.get("mode") != "always":  # of a Dropout: in inference, too
        return inputs[0]
    if node.op in ADD:
        widths = {width_of(value) for value in inputs}
        return None if None in widths or len(widths) > 1 else _add(inputs)
    if node.op in CONCAT and node.number("dim", 1) == 1:
        return _merged([segment for value in inputs for segment in value])
    return _slice(node, inputs[0]) if node.op == "slice_axis" else None


def _slice(node, value):
    """The channels that a slice leaves of `value`, None where it is one along another axis."""
    begin, width = node.number("begin"), width_of(value)
    to_the_end = node.attrs.get("end", "None") == "None"
    if node.number("axis") == 0 and begin == 0 and to_the_end:
        return value
    end = width if to_the_end else node.number("end")
    if node.number("axis") != 1 or width is None or not 0 <= begin < end <= width:
        return None
    return cut(value, begin, end)


def width_given(node, inputs):
    """The channels that an operator gives which is a source of its own, None where not known."""
    if node.op in WIDTHS:
        return node.width
    return None if not inputs or node.op in SWAP else width_of(inputs[0])
