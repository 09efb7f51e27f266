"""What a GloRe unit makes of pictures, as numpy arrays. Imports no MXNet."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from typing import List, NamedTuple, Optional

import numpy as np
import PIL.Image

from ..utils.errors import InputError
from .signed_colors import DEFAULT, colors_of
from .unit_pictures import paint_adjacency, paint_graph, paint_maps

PAINTERS = {
    "maps": paint_maps,
    "graph": paint_graph,
    "adjacency": lambda view, picture, nodes, colors: paint_adjacency(view, colors),
}


class Edge(NamedTuple):
    """An edge of the graph: node `to` receives `weight` times the features of node `source`."""

    source: int
    to: int
    weight: float


@dataclass(frozen=True, eq=False, repr=False)
class UnitView:
    """A unit of N nodes with S states on P pictures, float32 throughout.

    `maps` are the projections of locations to nodes, `(P, N, h, w)`, as their convolution computes
    them, of either sign; of clips they are `(P, N, T, h, w)`, of sequences `(P, N, L)`. `reverse`
    are the projections back where the unit has some of its own, else None. `features` are the nodes
    before the graph, V `(P, N, S)`, `states` after it, Z `(P, N, S)`. `adjacency` has the matrix A
    of each graph layer, `(layers, N, N)`, whatever the picture; its rows are the nodes that
    receive: U = V + A V (section 3.3 of the paper). `pictures` are the pixels that the network saw,
    uint8 `(P, H, W, C)`, None where it was given other numbers.
    """

    name: str
    maps: np.ndarray
    features: np.ndarray
    states: np.ndarray
    adjacency: np.ndarray
    reverse: Optional[np.ndarray] = None
    pictures: Optional[np.ndarray] = None

    def __repr__(self):
        size = "x".join(map(str, self.maps.shape[2:]))
        return f"<UnitView {self.name}: {len(self.maps)} x {self.nodes} maps of {size}>"

    @classmethod
    def joined(cls, views, pictures=None) -> UnitView:
        """One view of all the pictures that several `views` of a unit are of."""
        together = {
            part: np.concatenate([getattr(view, part) for view in views])
            for part in ("maps", "reverse", "features", "states")
            if getattr(views[0], part) is not None
        }
        return dataclasses.replace(views[0], pictures=pictures, **together)

    @property
    def nodes(self) -> int:
        """N, the number of nodes."""
        return self.maps.shape[1]

    @property
    def back(self) -> np.ndarray:
        """The projections of the nodes back to the pictures, `(P, N, h, w)`."""
        return self.maps if self.reverse is None else self.reverse

    @functools.cached_property
    def strength(self) -> np.ndarray:
        """Each node's share of the energy that the nodes give back to a picture, `(P, N)`.

        Node n gives back its states at every location, weighted by its map: the outer product of
        z_n and m_n, whose energy (sum of squares) is that of z_n times that of m_n. Unlike the
        energy of the map alone, it stays the same where the projection is scaled up and the states
        down. Nodes that cancel each other out are counted in full. All shares are 0 where no node
        gives anything back.
        """
        energy = np.square(self.states, dtype=float).sum(2)
        energy *= np.square(self.back, dtype=float).sum(tuple(range(2, self.back.ndim)))
        total = energy.sum(1, keepdims=True)
        return energy / np.where(total > 0, total, 1)

    def strongest(self, count, picture=0) -> List[int]:
        """The `count` strongest nodes in a picture, given by its number, the strongest first."""
        return (-self.strength[picture]).argsort(kind="stable")[:count].tolist()

    def pick(self, nodes) -> List[int]:
        """The given nodes, each once. Raises InputError where the unit has no such node."""
        for node in nodes:
            if not 0 <= node < self.nodes:
                raise InputError(f"{self.name}: nodes are 0 to {self.nodes - 1}, given {node}")
        return list(dict.fromkeys(nodes))

    def edges(self, count, layer=0, among=None) -> List[Edge]:
        """The `count` edges of largest weight, of either sign, between the nodes `among` (all).

        A node's edge to itself is left out.
        """
        return strongest_edges(self.adjacency[layer], count, among)

    def pixels(self, picture) -> np.ndarray:
        """A picture by its number, uint8 `(H, W, C)`: black, in the maps' size, where unknown."""
        if self.pictures is None:
            return np.zeros((*self.maps.shape[2:], 1), np.uint8)
        return self.pictures[picture]

    def plot(self, kind="maps", picture=0, nodes=8, colors=DEFAULT) -> PIL.Image.Image:
        """A picture of what is seen, for a notebook: `kind` is "maps", "graph" or "adjacency".

        `picture` is its number; `nodes` says which ones are drawn, or how many, the strongest.
        `colors` is a row of `signed_colors.COLORS`. Raises InputError on other values, and where
        maps are to be drawn that have not two dimensions.
        """
        if kind not in PAINTERS:
            raise InputError(f"kind is one of {', '.join(PAINTERS)}, given {kind!r}")
        if kind != "adjacency" and self.maps.ndim != 4:
            raise InputError(
                f"{self.name}: its maps have {self.maps.ndim - 2} dimensions, of which only the "
                'adjacency is drawn: plot("adjacency"); the arrays are in .maps'
            )
        if not 0 <= picture < len(self.maps):
            raise InputError(f"pictures are 0 to {len(self.maps) - 1}, given {picture}")
        counted = isinstance(nodes, int)
        chosen = self.strongest(max(nodes, 0), picture) if counted else self.pick(nodes)
        if not chosen:
            raise InputError(f"nodes: at least one, given {nodes}")
        return PIL.Image.fromarray(PAINTERS[kind](self, picture, chosen, colors_of(colors)))


def strongest_edges(adjacency, count, among=None) -> List[Edge]:
    """`UnitView.edges` of an adjacency `(N, N)`."""
    among = np.arange(len(adjacency)) if among is None else np.asarray(among)
    weights = adjacency[np.ix_(among, among)].astype(float)
    size = np.abs(weights)
    np.fill_diagonal(size, -1)
    order = (-size).argsort(axis=None, kind="stable")[: min(count, size.size - len(among))]
    pairs = zip(*np.unravel_index(order, size.shape))
    return [Edge(int(among[j]), int(among[i]), float(weights[i, j])) for i, j in pairs]
