"""The units of a graph, found by what is connected to what: names decide nothing.

A network is walked from its end. A sum that a unit's layers read is what the units before have
added up; the operator in it that comes last in the graph ends the last unit, and the rest of the
sum is what that unit read. `graph_spec` makes a spec of the units.
"""

from collections import Counter
from typing import NamedTuple, Optional, Tuple

from ..networks.graph import WIDTHS, pool_window
from ..plan.stages import Stem
from ..utils.errors import InputError
from .channels import (
    MULTIPLY,
    SAME,
    cut,
    read_channels,
    source_of,
    sources_of,
    whole,
    width_given,
    width_of,
    without,
)

FOREIGN = "no residual or dual-path units of the released networks in it"
DIVISIONS = {"broadcast_div", "elemwise_div", "_div", "_Div", "_div_scalar", "_DivScalar"}


class Body(NamedTuple):
    """A residual or dual-path unit: the places of its convolutions.

    `reduction` is that of channel attention, 0 without; `shared` whether the shortcut's convolution
    reads what the first one reads, behind the same BatchNorm.
    """

    convs: Tuple[int, ...]
    shortcut: Optional[int] = None
    reduction: int = 0
    shared: bool = False


class Extra(NamedTuple):
    """An extra unit: its kind and options, among them `mid_channels`."""

    kind: str
    options: dict


class Chain(NamedTuple):
    """Convolutions one after the other, each behind BatchNorm and ReLU.

    `start` is the value that the first BatchNorm reads, `norm` that BatchNorm's place.
    """

    convs: Tuple[int, ...]
    norm: int
    start: tuple


def number_in(node, key, default, allowed, words):
    """An attribute as a number. Raises InputError where it is not `allowed`, which `words` say."""
    text = node.attrs.get(key, default)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not allowed(value):
        raise InputError(f"{node.name}: {key} must be {words}, given {str(text)[:80]!r}")
    return value


def the_one(values):
    """The one number that all values are. Raises InputError where they differ."""
    if len(set(values)) != 1 or values[0] < 1:
        raise InputError(f"kernels and strides must be square, given {values[:9]}")
    return values[0]


class Graph:
    """The nodes of a graph and the value of each, whose sources are places of nodes."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.values = read_channels(
            nodes, lambda place, node, inputs: whole(place, width_given(node, inputs))
        )

    def name(self, place):
        """What the node at `place` is called, for messages."""
        return self.nodes[place].name

    def op(self, place):
        """The operator at a place; None stands for no place."""
        return None if place is None else self.nodes[place].op

    def data(self, place):
        """The value that the operator at `place` reads first, () where it reads none."""
        inputs = self.nodes[place].inputs
        return self.values[inputs[0]] if inputs else ()

    def is_relu(self, place):
        """Whether a rectifier stands at `place`."""
        node = None if place is None else self.nodes[place]
        return node is not None and (
            node.op == "relu" or node.op == "Activation" and node.attrs.get("act_type") == "relu"
        )

    def norm_before(self, value):
        """The place of the BatchNorm whose rectified output is all of `value`, else None."""
        relu = source_of(value)
        norm = source_of(self.data(relu)) if self.is_relu(relu) else None
        return norm if self.op(norm) == "BatchNorm" else None

    def start_of(self, conv):
        """The value that the BatchNorm before a convolution reads, None where there is none."""
        norm = self.norm_before(self.data(conv))
        return None if norm is None else self.data(norm)

    def chain(self, place) -> Chain:
        """The convolutions that end at `place`.

        Raises InputError where one is not pre-activated.
        """
        convs = []
        while True:
            convs.insert(0, place)
            norm = self.norm_before(self.data(place))
            if norm is None:
                raise InputError(
                    f"{self.name(place)} has no BatchNorm and ReLU before it, as all layers of "
                    "pre-activation units have"
                )
            start = self.data(norm)
            place = source_of(start)
            if self.op(place) != "Convolution":
                return Chain(tuple(convs), norm, start)

    def tail(self, classifier):
        """(place of the last pool, dropout, the sum that all units add up to) of a network.

        Raises InputError where it is none of those here.
        """
        place, dropout = self.nodes[classifier].inputs[0], 0.0
        while self.op(place) in SAME and self.nodes[place].inputs:
            node = self.nodes[place]
            if node.op == "Dropout":
                dropout = number_in(node, "p", 0.5, lambda x: 0 <= x < 1, "from 0 to below 1")
            place = node.inputs[0]
        if self.op(place) != "Pooling" or pool_window(self.nodes[place]) != ("all",):
            raise InputError(
                f"{FOREIGN}: no pool over all locations before {self.name(classifier)}"
            )
        value = self.data(place)
        norm = self.norm_before(value)
        if norm is not None:
            return place, dropout, self.data(norm)
        relu = source_of(value)
        summed = self.data(relu) if self.is_relu(relu) else value
        if len(sources_of(summed)) > 1:
            raise InputError(
                f"{FOREIGN}: it is a post-activation network, whose BatchNorm and ReLU stand "
                "behind its convolutions and sums; those here are pre-activation, as GluonCV's "
                "resnet50_v2 and MXNet's resnet-50 are"
            )
        raise InputError(f"{FOREIGN}: no BatchNorm and ReLU before {self.name(place)}")

    def last_unit(self, value):
        """The unit that is added last to the sum `value`: (unit, the value it reads, dual path).

        Raises InputError where it is none of those here.
        """
        dual = len(value) > 1
        sources = sources_of(value)
        last = max(sources)
        end, reduction = self.attended(last)
        if self.op(end) == "Convolution":
            chain = self.chain(end)
            if self.op(source_of(chain.start)) != "batch_dot":
                unit, start = self.body(value, last, chain, reduction)
                return unit, start, dual
            convs = (s for s in sources if self.op(s) == "Convolution")
            ends = {s for s in convs if self.start_of(s) == chain.start}
        else:
            ends = {last}
        start = without(value, ends)
        return self.extra(ends, start), start, dual

    def attended(self, place):
        """(what channel attention scales, its reduction) of a product, else (place, 0).

        Raises InputError where it is none of those here.
        """
        if self.op(place) not in MULTIPLY:
            return place, 0
        inputs = [self.values[i] for i in self.nodes[place].inputs]
        for scaled, weight in (inputs, inputs[::-1]) if len(inputs) == 2 else ():
            layer = self.gate_before(weight)
            squeezed = layer and self.gate_before(self.data(layer), "relu")
            pool = squeezed and source_of(self.data(squeezed))
            if self.op(pool) == "Pooling" and self.data(pool) == scaled:
                return source_of(scaled), width_of(scaled) // self.nodes[squeezed].width
        raise InputError(
            f"{self.name(place)} is no channel attention of those here, which is a pool over all "
            "locations, a dense layer, ReLU, a dense layer and a sigmoid"
        )

    def gate_before(self, value, kind="sigmoid"):
        """The place of the layer whose output behind an activation is all of `value`, else None."""
        gate = source_of(value)
        node = None if gate is None else self.nodes[gate]
        if node is None or kind not in (node.op, node.attrs.get("act_type")):
            return None
        layer = source_of(self.data(gate))
        return layer if self.op(layer) in WIDTHS else None

    def body(self, value, last, chain, reduction):
        """(`Body`, the value it reads) of the unit that ends in `last` and adds it to `value`.

        Raises InputError where it is none of those here.
        """
        if without(value, {last}) == chain.start:
            return Body(chain.convs, None, reduction), chain.start
        others = sources_of(value) - {last}
        if without(value, others | {last}) or len(others) != 1:
            raise InputError(
                f"{self.name(last)} is added to another sum than the one its unit reads: {FOREIGN}"
            )
        (other,) = others
        end, theirs = self.attended(other)
        second = self.chain(end) if self.op(end) == "Convolution" else None
        if second is None or second.start != chain.start:
            raise InputError(
                f"{self.name(last)} and {self.name(other)}, which are summed, do not read the "
                f"same: {FOREIGN}"
            )
        # Either may come last in the graph: the shortcut is one convolution, the body more.
        (shortcut, attention), (body, reduction) = sorted(
            ((second, theirs), (chain, reduction)), key=lambda pair: len(pair[0].convs)
        )
        if attention or len(shortcut.convs) != 1:
            raise InputError(f"{self.name(last)} and {self.name(other)}: none is a shortcut")
        shared = shortcut.norm == body.norm
        return Body(body.convs, shortcut.convs[0], reduction, shared), chain.start

    def region(self, ends, stops):
        """The places between `ends` and the values `stops`, in order.

        Raises InputError where they read something else.
        """
        found, todo = set(), set(ends)
        while todo:
            place = todo.pop()
            node = self.nodes[place]
            if node.op == "null":
                raise InputError(
                    f"{self.name(max(ends))} is not added to what its unit reads: {FOREIGN}"
                )
            found.add(place)
            layer = node.op in WIDTHS or node.op == "BatchNorm"
            data = node.inputs[:1] if layer or node.op in SAME else node.inputs
            todo |= {i for i in data if self.values[i] not in stops} - found
        return sorted(found)

    def extra(self, ends, start) -> Extra:
        """The extra unit that ends in `ends` and reads `start`, or the residual path in it.

        Raises InputError where it is none of those here.
        """
        paths = [start]
        if len(start) > 1 and None not in [segment.width for segment in start]:
            paths.append(cut(start, 0, sum(width_of(self.values[end]) or 0 for end in ends)))
        places = self.region(ends, paths)
        ops = Counter(map(self.op, places))
        if not ops["batch_dot"]:
            raise InputError(f"{self.name(max(ends))} ends no unit of those here: {FOREIGN}")
        convs = [place for place in places if self.op(place) == "Convolution"]
        pools = [self.nodes[place] for place in places if self.op(place) == "Pooling"]
        first = [place for place in convs if self.read_by(place, paths)]
        if not first:
            raise InputError(f"{self.name(max(ends))}: no convolution of its unit reads its input")
        options = {"mid_channels": min(self.nodes[place].width for place in first)}
        if ops["softmax"]:
            if pools:
                options["subsample"] = pools[0].numbers("kernel", (1,))[-1]
            return Extra("nonlocal", options)
        # Behind the two or three that read the input are two for each step on the graph.
        ending = sum(self.op(end) == "Convolution" for end in ends)
        post = not ending
        steps = len(convs) - len(first) - (ending or 1)
        options.update(
            arrangement="post" if post else "pre",
            normalize=bool(DIVISIONS & set(ops)),
            graph_layers=steps // 2,
            shared_projection=len(first) == 2,
            pool_stride=pools[0].numbers("kernel", (1,))[0] if pools else 1,
            extend_first=post and self.op(source_of(self.data(max(ends)))) == "batch_dot",
            both_paths=len(ends) == 2,
        )
        return Extra("glore", options)

    def read_by(self, conv, values):
        """Whether a convolution reads one of `values`, pre-activated, pooled, or as it is."""
        value = self.data(conv)
        start = self.start_of(conv)
        value = value if start is None else start
        pool = source_of(value)
        return value in values or self.op(pool) == "Pooling" and self.data(pool) in values

    def stem(self, place) -> Stem:
        """The `Stem` that ends at `place`: convolution, BatchNorm, ReLU and a pool or none.

        Raises InputError where it is something else; kernels and strides are square.
        """
        pool = self.nodes[place] if self.op(place) == "Pooling" else None
        norm = self.norm_before(self.values[place] if pool is None else self.data(place))
        conv = None if norm is None else source_of(self.data(norm))
        if self.op(conv) != "Convolution":
            raise InputError(
                f"{self.name(place)} ends no stem of those here, which is a convolution of the "
                "pixels, BatchNorm, ReLU, and a pool or none"
            )
        before = source_of(self.data(conv))
        of_pixels = self.op(before) == "BatchNorm"
        before = source_of(self.data(before)) if of_pixels else before
        if self.op(before) != "null":
            raise InputError(
                f"{self.name(conv)} begins no stem of those here: it reads neither the pixels nor "
                "a BatchNorm of them"
            )
        node = self.nodes[conv]
        if len(node.numbers("kernel", ())) != 2:
            kernel = node.numbers("kernel", ())[:9]
            raise InputError(f"{node.name}: only networks of 2 dimensions are read, given {kernel}")
        return Stem(
            channels=node.width,
            kernel=the_one(node.numbers("kernel", ())),
            stride=the_one(node.numbers("stride", (1,))),
            pool=the_one(pool.numbers("kernel", ())) if pool else 0,
            norm_input=of_pixels,
        )
