"""Where the GloRe units are in a traced network: found in its graph, by their parameters' names.

So they are found in a network of any make, a Gluon block or a symbol from a file, hybridized or
not, and in a graph that was optimized for inference.
"""

import itertools
import json
from dataclasses import dataclass
from typing import Optional, Tuple

from ..networks.graph import INTEGERS
from ..plan.extra_units import GloReUnit
from ..utils.errors import InputError

_CONVS = GloReUnit("unit", 1, 1, shared_projection=False)  # has the names of all convolutions
_NORMS = ("BatchNorm", "Activation")  # stand before a convolution in a pre-activation unit
_FLAT = "(0, 0, -1, 1)"  # of `functional.flatten_locations`


@dataclass(frozen=True)
class UnitOutputs:
    """What holds the numbers of one unit: names of outputs in the graph's `get_internals()`.

    `maps` and `reverse` are projections `(B, N, h, w)`, in one and three dimensions of flattened
    locations `(B, N, L, 1)`, with time in the batch axis `(T·B, N, h, w)`; `located` is an array
    that has the locations' own axes behind its first two. `features` and `states` are the nodes
    before and after their graph, `(B, S, N, 1)`.
    `adjacency` has the parameter of each graph layer, `(N, N, 1, 1)`.
    """

    maps: str
    reverse: Optional[str]
    located: str
    features: str
    states: str
    adjacency: Tuple[str, ...]

    @property
    def recorded(self):
        """{part: name of its output}, of all parts that a forward pass computes."""
        parts = ("located", "maps", "reverse", "features", "states")
        return {part: name for part in parts if (name := getattr(self, part)) is not None}


def find_units(symbol):
    """The GloRe units of a symbol in their order: `{name: UnitOutputs}`, empty where it has none.

    A unit's name is what its parameters' names begin with, without the last "_". Raises InputError
    where a unit is run twice or not built as `GloRe` is, and for a graph of 8-bit integers.
    """
    graph = _Graph(symbol)
    if graph.has_integers:
        raise InputError(
            "the graph computes in 8-bit integers, which don't show what units see: look at the "
            "network itself, or at an export in fp32"
        )
    tail = _weight("", _CONVS.projection)
    return {
        weight[: -len(tail)]: _outputs(graph, weight[: -len(tail)])
        for weight in graph.convolutions
        if weight.endswith(tail)
    }


def _weight(unit, conv):
    """The name of the weight of a unit's `Conv`."""
    return f"{unit}_{conv.name}__conv_weight"


def _outputs(graph, unit):
    """The `UnitOutputs` of the unit of that name."""
    maps = graph.convolution(_weight(unit, _CONVS.projection))
    reverse = _weight(unit, _CONVS.reverse)
    layers = _layers(graph, unit)
    if not layers:
        raise InputError(f"{unit} has no graph: not a GloRe unit as this project makes it")
    flat = graph.behind_norms(maps)
    swapped = graph.behind_norms(graph.convolution(_weight(unit, layers[0][0])))
    return UnitOutputs(
        maps=graph.output(maps),
        reverse=graph.output(graph.convolution(reverse)) if graph.has(reverse) else None,
        located=graph.output(graph.first_input(flat) if graph.is_flat(flat) else maps),
        features=graph.output(graph.first_input(swapped)),
        states=graph.output(graph.convolution(_weight(unit, layers[-1][1]))),
        adjacency=tuple(_weight(unit, adjacency) for adjacency, _ in layers),
    )


def _layers(graph, unit):
    """The convolutions of each layer of a unit's graph: (adjacency, update) of the plan."""
    for count in itertools.count(1):
        layers = GloReUnit(unit, 1, 1, graph_layers=count).graph
        if not graph.has(_weight(unit, layers[-1][0])):
            return layers[:-1]


class _Graph:
    """A symbol's nodes, told apart by their place among them; its convolutions by their weights."""

    def __init__(self, symbol):
        self._nodes = json.loads(symbol.tojson())["nodes"]
        self.convolutions = {}  # {weight: the places of those that read it}
        for place, node in enumerate(self._nodes):
            if node["op"] == "Convolution":
                weight = self._nodes[node["inputs"][1][0]]["name"]
                self.convolutions.setdefault(weight, []).append(place)

    @property
    def has_integers(self):
        """Whether operators compute in 8-bit integers."""
        return any(node["op"] in INTEGERS for node in self._nodes)

    def has(self, weight):
        """Whether a convolution has that weight."""
        return weight in self.convolutions

    def convolution(self, weight):
        """The convolution with that weight. Raises InputError where not exactly one has it."""
        places = self.convolutions.get(weight, ())
        if len(places) != 1:
            raise InputError(f"{weight} is the weight of {len(places)} convolutions, not of one")
        return places[0]

    def first_input(self, place):
        """The node whose output an operator reads first."""
        return self._nodes[place]["inputs"][0][0]

    def behind_norms(self, place):
        """What an operator reads first; where BatchNorm and ReLU stand there, what these read."""
        place = self.first_input(place)
        while self._nodes[place]["op"] in _NORMS:
            place = self.first_input(place)
        return place

    def is_flat(self, place):
        """Whether an operator flattens locations."""
        return self._nodes[place].get("attrs", {}).get("shape") == _FLAT

    def output(self, place):
        """The name of a node's output among the graph's internals."""
        node = self._nodes[place]
        return node["name"] if node["op"] == "null" else f"{node['name']}_output"
