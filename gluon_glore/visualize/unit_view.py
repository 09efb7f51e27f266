"""What a GloRe unit makes of one picture, as numpy arrays. Imports no MXNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from ..utils.errors import InputError


class Edge(NamedTuple):
    """An edge of the graph: node `to` receives `weight` times the features of node `source`."""

    source: int
    to: int
    weight: float


@dataclass(frozen=True)
class UnitView:
    """A unit of N nodes with S states on one picture, float32 throughout.

    `mask` is the projection of pixels to nodes, `(N, h, w)`, as its convolution computes it, of
    either sign; `reverse` the projection back to pixels where the unit has one of its own, else
    None. `features` are the nodes before the graph, V `(N, S)`, `states` after it, Z `(N, S)`.
    `adjacency` has the matrix A of each graph layer, `(N, N)`; its rows are the nodes that receive:
    U = V + A V (section 3.3 of the paper).
    """

    name: str
    mask: np.ndarray
    reverse: Optional[np.ndarray]
    features: np.ndarray
    states: np.ndarray
    adjacency: Tuple[np.ndarray, ...]

    @property
    def nodes(self) -> int:
        """N, the number of nodes."""
        return len(self.mask)

    @property
    def back(self) -> np.ndarray:
        """The projection of the nodes back to the picture, `(N, h, w)`."""
        return self.mask if self.reverse is None else self.reverse

    @property
    def strength(self) -> np.ndarray:
        """Each node's share of the energy that the nodes give back to the picture, `(N,)`.

        Node n gives back its states at every location, weighted by its map: the outer product of
        z_n and m_n, whose energy (sum of squares) is that of z_n times that of m_n. Unlike the
        energy of the map alone, it stays the same where the projection is scaled up and the states
        down. Nodes that cancel each other out are counted in full. All shares are 0 where no node
        gives anything back.
        """
        energy = np.square(self.states, dtype=float).sum(1)
        energy *= np.square(self.back, dtype=float).sum((1, 2))
        return energy / (energy.sum() or 1)

    def strongest(self, count) -> List[int]:
        """The `count` strongest nodes, the strongest first."""
        return (-self.strength).argsort(kind="stable")[:count].tolist()

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


def strongest_edges(adjacency, count, among=None) -> List[Edge]:
    """`UnitView.edges` of an adjacency `(N, N)`."""
    among = np.arange(len(adjacency)) if among is None else np.asarray(among)
    weights = adjacency[np.ix_(among, among)].astype(float)
    size = np.abs(weights)
    np.fill_diagonal(size, -1)
    order = (-size).argsort(axis=None, kind="stable")[: min(count, size.size - len(among))]
    pairs = zip(*np.unravel_index(order, size.shape))
    return [Edge(int(among[j]), int(among[i]), float(weights[i, j])) for i, j in pairs]
