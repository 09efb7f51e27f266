"""Pictures of what a GloRe unit sees: maps over the picture, its graph, its adjacency matrix.

Figure 7 of Chen et al., CVPR 2019 (https://arxiv.org/abs/1811.12814). One code of signs for all:
red is positive, green negative, dark none.
"""

import cv2
import numpy as np

from .text import fitting, write

POSITIVE, NEGATIVE = (255, 72, 56), (46, 214, 96)
_BACK, _NONE = (17, 19, 24), (30, 33, 40)  # behind all; a matrix's zero
_INK, _SOFT = (233, 236, 241), (146, 153, 164)
_DIM = 0.36  # of a picture beneath a map
_TILE, _GAP, _HEAD, _LABEL = 232, 14, 62, 28  # pixels: map, space between, over all, beneath maps
_COLUMNS = 4
_GRAPH, _NODE = 900, 128  # sides of a graph's picture and of a node in it
_MATRIX, _LIST = 512, 230  # side of a matrix, width of the list beside it
EDGES = 16  # drawn in a graph, listed beside a matrix


def overlay(picture, values):
    """A map `(h, w)` over a darkened picture, uint8 `(H, W, 3 or 1)`: RGB `(H, W, 3)`.

    The map's largest number of either sign is brightest.
    """
    height, width = picture.shape[:2]
    rgb = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if picture.shape[2] == 1 else picture
    return _mix(rgb * np.float32(_DIM), _share(spread(values, (height, width))))


def colored(values):
    """Signed numbers `(h, w)` as colours, uint8 `(h, w, 3)`: the largest is brightest."""
    share = _share(values)
    return _mix(np.broadcast_to(np.float32(_NONE), (*share.shape, 3)), share)


def spread(values, size):
    """A map `(h, w)` at every pixel of a picture of `size` (H, W), between locations bilinear.

    Location i is that of pixel `i * H / h`, as it is for convolutions padded by half their kernel.
    """
    rows, columns = (
        np.minimum(np.arange(pixels, dtype=np.float32) * (n / pixels), n - 1)
        for n, pixels in zip(values.shape, size)
    )
    at = np.meshgrid(columns, rows)
    return cv2.remap(values.astype(np.float32), *at, cv2.INTER_LINEAR)


def _share(values):
    """Of the largest number, with its sign."""
    return values / max(float(np.abs(values).max()), 1e-30)


def _mix(below, share):
    """Colours of `share` (-1 to 1) over float RGB, through which that still shines: uint8."""
    much = np.abs(share)[..., None]
    above = np.where(share[..., None] > 0, np.float32(POSITIVE), np.float32(NEGATIVE))
    return np.rint(np.minimum(below * (1 - much / 2) + above * much, 255)).astype(np.uint8)


def paint_maps(view, picture, nodes, title, caption):
    """Maps of the `nodes` of a `UnitView` over the picture, uint8 `(H, W, C)`: RGB.

    The picture stands in front of them. Where the unit has a projection of its own for the way back
    that is beneath the one of the way in. `title` is of the picture, `caption` what was made of it.
    """
    ways = [view.mask] if view.reverse is None else [view.mask, view.reverse]
    tall, wide = _fit(picture, _TILE).shape[:2]
    across, down = wide + _GAP, len(ways) * (tall + _GAP // 2) + _LABEL
    columns = min(_COLUMNS, len(nodes))
    rows = -(-len(nodes) // columns)
    large = _fit(picture, max(tall, wide) * 3 // 2)
    left = large.shape[1] + 2 * _GAP
    height = max(rows * down, large.shape[0] + 4 * _LABEL)
    canvas = _canvas(_HEAD + height + _GAP, left + columns * across)
    half = canvas.shape[1] // 2 - 2 * _GAP
    write(canvas, fitting(title, half, 1.3), _GAP, 38, _INK, 1.3)
    words = f"{view.name}: {len(nodes)} of {view.nodes} nodes"
    write(canvas, fitting(words, half, 1.1), canvas.shape[1] - _GAP, 38, _SOFT, 1.1, "right")
    _paste(canvas, large, _HEAD, _GAP)
    beneath = _HEAD + large.shape[0] + 20
    write(canvas, fitting(caption, large.shape[1], 1.05), _GAP, beneath, _INK, 1.05)
    _legend(canvas, beneath + 30, large.shape[1])
    for i, node in enumerate(nodes):
        top, x = _HEAD + i // columns * down, left + i % columns * across
        for way in ways:
            _paste(canvas, _fit(overlay(picture, way[node]), _TILE), top, x)
            top += tall + _GAP // 2
        write(canvas, f"node {node}", x, top + 13, _INK)
        write(canvas, f"{view.strength[node]:.1%}", x + wide, top + 13, _SOFT, 1, "right")
    return canvas


def _legend(canvas, top, width):
    """What colours and per cents mean."""
    _paste(canvas, colored(np.tile(np.linspace(-1, 1, width), (8, 1))), top, _GAP)
    ends = ("-", _GAP, "left"), ("0", _GAP + width // 2, "middle"), ("+", _GAP + width, "right")
    for text, x, align in ends:
        write(canvas, text, x, top + 24, _SOFT, 1, align)
    words = fitting("%: of the energy that all nodes give back", width, 0.95)
    write(canvas, words, _GAP, top + 48, _SOFT, 0.95)


def paint_graph(view, picture, nodes):
    """The `nodes` of a `UnitView`, each its map, joined by the strongest edges between them: RGB.

    An edge points to the node that receives, as wide as its weight is large. The layers of a graph
    of several stand side by side.
    """
    reach = 0 if len(nodes) == 1 else _GRAPH / 2 - _NODE * 0.8
    side = min(_NODE, round(4.4 * reach / len(nodes)) or _NODE)
    maps = [_fit(overlay(picture, view.back[node]), side) for node in nodes]
    angles = np.arange(len(nodes)) * (2 * np.pi / len(nodes)) - np.pi / 2
    middle = np.array([_GRAPH / 2, _GRAPH / 2 + _LABEL])
    places = middle + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    canvases = []
    for layer in range(len(view.adjacency)):
        canvas = _canvas(_GRAPH + _HEAD, _GRAPH)
        edges = view.edges(EDGES, layer, nodes)
        for edge in reversed(edges):  # the strongest on top
            ends = [places[nodes.index(node)] for node in (edge.source, edge.to)]
            share = abs(edge.weight / (edges[0].weight or 1))
            _arrow(canvas, *ends, side * 0.62, share, _color(edge.weight))
        for node, tile, (x, y) in zip(nodes, maps, places):
            top, left = round(y - tile.shape[0] / 2), round(x - tile.shape[1] / 2)
            _paste(canvas, tile, top, left)
            _frame(canvas, tile.shape, top, left)
            write(canvas, f"node {node}", x, top + tile.shape[0] + 18, _INK, 1, "middle")
        more = f", layer {layer + 1}" if len(view.adjacency) > 1 else ""
        words = f"{view.name}: strongest edges between these nodes{more}"
        write(canvas, fitting(words, _GRAPH - 2 * _GAP, 1.1), _GAP, 34, _INK, 1.1)
        if edges:
            words = f"widest: {edges[0].weight:+.3f}"
            write(canvas, words, _GRAPH - _GAP, canvas.shape[0] - _GAP, _SOFT, 1, "right")
        canvases.append(canvas)
    return np.hstack(canvases)


def paint_adjacency(view):
    """The matrices of a `UnitView`'s graph, their strongest edges marked and listed: RGB."""
    return np.vstack([_matrix(view, layer) for layer in range(len(view.adjacency))])


def _matrix(view, layer):
    weights = view.adjacency[layer]
    cell = max(1, _MATRIX // view.nodes)
    side = cell * view.nodes
    tall = max(side, _MATRIX)
    left = 3 * _GAP
    canvas = _canvas(_HEAD + tall + 2 * _LABEL, left + side + _LIST + 2 * _GAP)
    more = f", layer {layer + 1}" if len(view.adjacency) > 1 else ""
    words = f"{view.name}: adjacency{more}"
    write(canvas, fitting(words, canvas.shape[1] - 2 * _GAP, 1.1), _GAP, 34, _INK, 1.1)
    _paste(canvas, np.kron(colored(weights), np.ones((cell, cell, 1), np.uint8)), _HEAD, left)
    write(canvas, "to", _GAP, _HEAD + side // 2, _SOFT)
    write(canvas, "from", left + side // 2, _HEAD + side + 20, _SOFT, 1, "middle")
    x = left + side + 2 * _GAP
    write(canvas, "strongest edges", x, _HEAD + 12, _SOFT)
    for i, (source, to, weight) in enumerate(view.edges(EDGES, layer)):
        middle = tuple(round((n + 0.5) * cell) + at for n, at in ((source, left), (to, _HEAD)))
        cv2.circle(canvas, middle, max(5, round(0.8 * cell)), _INK, 1, cv2.LINE_AA)
        y = _HEAD + 42 + 26 * i
        write(canvas, f"{source} -> {to}", x, y, _INK)
        write(canvas, f"{weight:+.3f}", x + _LIST - 3 * _GAP, y, _color(weight), 1, "right")
    return canvas


def _arrow(canvas, start, end, gap, share, color):
    """From a node to `gap` before another, off their line so that the way back lies beside it."""
    ahead = (end - start) / np.hypot(*(end - start))
    aside = np.array([-ahead[1], ahead[0]])
    width = max(1, round(9 * share))
    head = 6 + width
    tip = end - ahead * gap + 9 * aside
    neck = tip - ahead * head
    much = 0.35 + 0.65 * share
    color = [round(c * much + b * (1 - much)) for c, b in zip(color, _BACK)]
    cv2.line(canvas, _point(start + 9 * aside), _point(neck), color, width, cv2.LINE_AA)
    corners = [tip, neck + 0.7 * head * aside, neck - 0.7 * head * aside]
    cv2.fillConvexPoly(canvas, np.array([_point(p) for p in corners]), color, cv2.LINE_AA)


def _point(place):
    return tuple(round(float(n)) for n in place)


def _color(weight):
    return POSITIVE if weight > 0 else NEGATIVE


def _canvas(height, width):
    return np.full((height, width, 3), _BACK, np.uint8)


def _paste(canvas, picture, top, left):
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture


def _frame(canvas, shape, top, left):
    corner = left + shape[1] - 1, top + shape[0] - 1
    cv2.rectangle(canvas, (left, top), corner, _SOFT, 1, cv2.LINE_AA)


def _fit(picture, side):
    """The picture as RGB, its longer side resized to `side` pixels."""
    if picture.shape[2] == 1:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    ratio = side / max(picture.shape[:2])
    size = [max(1, round(n * ratio)) for n in picture.shape[:2]]
    kind = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, (size[1], size[0]), interpolation=kind)
