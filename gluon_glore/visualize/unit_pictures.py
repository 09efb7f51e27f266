"""Pictures of what a GloRe unit sees: maps over the picture, its graph, its adjacency matrix.

As in Figure 7 of Chen et al., CVPR 2019 (https://arxiv.org/abs/1811.12814). They are drawn
with OpenCV, which the base installation has, and not with matplotlib: they are tiles of pixels and
arrows, without the axes and ticks that it would be for. `picture` is always the number of one of
the pictures that a `UnitView` is of, and `colors` a `SignColors`.
"""

import cv2
import numpy as np

from .signed_colors import COLORS, DEFAULT, colored, overlay
from .text import draw_text, shorten

_BACKGROUND = (17, 19, 24)  # behind all
_INK, _SOFT = (233, 236, 241), (146, 153, 164)  # of text: strong, weak
# In pixels: a map, the space between maps, the title's height, the labels' height.
_TILE, _GAP, _HEAD, _LABEL = 232, 14, 62, 28
_COLUMNS = 4
_GRAPH, _NODE = 900, 128  # sides of a graph's picture and of a node in it
_MATRIX, _LIST = 512, 230  # side of a matrix, width of the list beside it
EDGES = 16  # how many are drawn in a graph, listed beside a matrix


def paint_maps(view, picture, nodes, colors=COLORS[DEFAULT], title="", caption=""):
    """Maps of the `nodes` of a `UnitView` over a picture: RGB uint8.

    The picture itself stands on the left, with its name, `title`, and the classes found in it,
    `caption`. Where the unit has a projection of its own for the way back, a node has two maps: the
    way in, and below it the way back.
    """
    projections = [view.maps] if view.reverse is None else [view.maps, view.reverse]
    pixels, strength = view.pixels(picture), view.strength[picture]
    tall, wide = _fit(pixels, _TILE).shape[:2]
    across, down = wide + _GAP, len(projections) * (tall + _GAP // 2) + _LABEL
    columns = min(_COLUMNS, len(nodes))
    rows = -(-len(nodes) // columns)
    large = _fit(pixels, max(tall, wide) * 3 // 2)
    left = large.shape[1] + 2 * _GAP
    height = max(rows * down, large.shape[0] + 4 * _LABEL)
    canvas = _canvas(_HEAD + height + _GAP, left + columns * across)
    half = canvas.shape[1] // 2 - 2 * _GAP
    draw_text(canvas, shorten(title, half, 1.3), _GAP, 38, _INK, 1.3)
    words = f"{view.name}: {len(nodes)} of {view.nodes} nodes"
    draw_text(canvas, shorten(words, half, 1.1), canvas.shape[1] - _GAP, 38, _SOFT, 1.1, "right")
    _paste(canvas, large, _HEAD, _GAP)
    below = _HEAD + large.shape[0] + 20
    draw_text(canvas, shorten(caption, large.shape[1], 1.05), _GAP, below, _INK, 1.05)
    _legend(canvas, below + 30, large.shape[1], colors)
    for i, node in enumerate(nodes):
        top, x = _HEAD + i // columns * down, left + i % columns * across
        for maps in projections:
            _paste(canvas, _fit(overlay(pixels, maps[picture, node], colors), _TILE), top, x)
            top += tall + _GAP // 2
        draw_text(canvas, f"node {node}", x, top + 13, _INK)
        draw_text(canvas, f"{strength[node]:.1%}", x + wide, top + 13, _SOFT, 1, "right")
    return canvas


def _legend(canvas, top, width, colors):
    """Draw what the colors and the per cents mean."""
    _paste(canvas, colored(np.tile(np.linspace(-1, 1, width), (8, 1)), colors), top, _GAP)
    ends = ("-", _GAP, "left"), ("0", _GAP + width // 2, "middle"), ("+", _GAP + width, "right")
    for text, x, align in ends:
        draw_text(canvas, text, x, top + 24, _SOFT, 1, align)
    words = shorten("%: of the energy that all nodes give back", width, 0.95)
    draw_text(canvas, words, _GAP, top + 48, _SOFT, 0.95)


def paint_graph(view, picture, nodes, colors=COLORS[DEFAULT]):
    """The `nodes` of a `UnitView` as maps in a circle, and the strongest edges between them: RGB.

    An edge points to the node that receives, and is as wide as its weight is large. Where the graph
    has several layers, they stand side by side.
    """
    reach = 0 if len(nodes) == 1 else _GRAPH / 2 - _NODE * 0.8
    side = min(_NODE, round(4.4 * reach / len(nodes)) or _NODE)
    pixels, back = view.pixels(picture), view.back[picture]
    maps = [_fit(overlay(pixels, back[node], colors), side) for node in nodes]
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
            _arrow(canvas, *ends, side * 0.62, share, colors.of(edge.weight))
        for node, tile, (x, y) in zip(nodes, maps, places):
            top, left = round(y - tile.shape[0] / 2), round(x - tile.shape[1] / 2)
            _paste(canvas, tile, top, left)
            _frame(canvas, tile.shape, top, left)
            draw_text(canvas, f"node {node}", x, top + tile.shape[0] + 18, _INK, 1, "middle")
        which = f", layer {layer + 1}" if len(view.adjacency) > 1 else ""
        words = f"{view.name}: strongest edges between these nodes{which}"
        draw_text(canvas, shorten(words, _GRAPH - 2 * _GAP, 1.1), _GAP, 34, _INK, 1.1)
        if edges:
            words = f"widest: {edges[0].weight:+.3f}"
            draw_text(canvas, words, _GRAPH - _GAP, canvas.shape[0] - _GAP, _SOFT, 1, "right")
        canvases.append(canvas)
    return np.hstack(canvases)


def paint_adjacency(view, colors=COLORS[DEFAULT]):
    """The adjacency matrices of a `UnitView`, one below the other: RGB.

    The strongest edges of each are marked in it and listed beside it.
    """
    return np.vstack([_matrix(view, layer, colors) for layer in range(len(view.adjacency))])


def _matrix(view, layer, colors):
    """The picture of one layer's matrix, uint8 RGB."""
    weights = view.adjacency[layer]
    cell = max(1, _MATRIX // view.nodes)
    side = cell * view.nodes
    tall = max(side, _MATRIX)
    left = 3 * _GAP
    canvas = _canvas(_HEAD + tall + 2 * _LABEL, left + side + _LIST + 2 * _GAP)
    which = f", layer {layer + 1}" if len(view.adjacency) > 1 else ""
    words = f"{view.name}: adjacency{which}"
    draw_text(canvas, shorten(words, canvas.shape[1] - 2 * _GAP, 1.1), _GAP, 34, _INK, 1.1)
    cells = np.kron(colored(weights, colors), np.ones((cell, cell, 1), np.uint8))
    _paste(canvas, cells, _HEAD, left)
    draw_text(canvas, "to", _GAP, _HEAD + side // 2, _SOFT)
    draw_text(canvas, "from", left + side // 2, _HEAD + side + 20, _SOFT, 1, "middle")
    x = left + side + 2 * _GAP
    draw_text(canvas, "strongest edges", x, _HEAD + 12, _SOFT)
    for i, (source, to, weight) in enumerate(view.edges(EDGES, layer)):
        middle = tuple(round((n + 0.5) * cell) + at for n, at in ((source, left), (to, _HEAD)))
        cv2.circle(canvas, middle, max(5, round(0.8 * cell)), _INK, 1, cv2.LINE_AA)
        y = _HEAD + 42 + 26 * i
        draw_text(canvas, f"{source} -> {to}", x, y, _INK)
        at = x + _LIST - 3 * _GAP
        draw_text(canvas, f"{weight:+.3f}", at, y, colors.of(weight), 1, "right")
    return canvas


def _arrow(canvas, start, end, gap, share, color):
    """Draw an edge from `start` to `gap` pixels before `end`; `share` of the largest is its width.

    It lies 9 pixels off the straight line, so that the edge back lies beside it.
    """
    ahead = (end - start) / np.hypot(*(end - start))
    aside = np.array([-ahead[1], ahead[0]])
    width = max(1, round(9 * share))
    head = 6 + width
    tip = end - ahead * gap + 9 * aside
    neck = tip - ahead * head
    opacity = 0.35 + 0.65 * share
    color = [round(c * opacity + b * (1 - opacity)) for c, b in zip(color, _BACKGROUND)]
    cv2.line(canvas, _point(start + 9 * aside), _point(neck), color, width, cv2.LINE_AA)
    corners = [tip, neck + 0.7 * head * aside, neck - 0.7 * head * aside]
    cv2.fillConvexPoly(canvas, np.array([_point(p) for p in corners]), color, cv2.LINE_AA)


def _point(place):
    """A place as OpenCV takes it: whole pixels (x, y)."""
    return tuple(round(float(n)) for n in place)


def _canvas(height, width):
    """An empty picture, uint8 RGB."""
    return np.full((height, width, 3), _BACKGROUND, np.uint8)


def _paste(canvas, picture, top, left):
    """Put a picture into the canvas."""
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture


def _frame(canvas, shape, top, left):
    """Draw a thin frame around a tile of `shape`."""
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
