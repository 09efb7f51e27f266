import numpy as np
import pytest

from gluon_glore.visualize.signed_colors import COLORS, colored
from gluon_glore.visualize.unit_pictures import paint_adjacency, paint_graph, paint_maps
from gluon_glore.visualize.unit_view import UnitView

BLACK = np.zeros((32, 48, 3), np.uint8)


def view(nodes=4, layers=1, reverse=False, seed=0, picture=BLACK):
    """A unit in one picture."""
    rng = np.random.RandomState(seed)
    maps, back = rng.normal(size=(2, 1, nodes, 4, 6)).astype("float32")
    states = rng.normal(size=(1, nodes, 8)).astype("float32")
    graph = rng.normal(size=(layers, nodes, nodes)).astype("float32")
    return UnitView(
        "conv4_B01_extra", maps, states, states, graph, back if reverse else None, picture[None]
    )


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(32, 48, 3), (48, 32, 1), (512, 512, 3), (7, 90, 3)])
def test_every_node_has_a_map_and_with_its_own_way_back_two(shape, reverse):
    grey = np.full(shape, 60, np.uint8)
    one, texts = view(6, reverse=reverse, picture=grey), {"title": "a.png", "caption": "cat 9 %"}
    few, many = (paint_maps(one, 0, list(range(n)), **texts) for n in (2, 6))
    assert many.dtype == np.uint8 and many.shape[2] == 3
    assert many.shape[1] > few.shape[1] and few.shape[0] <= many.shape[0]
    changed = view(6, reverse=reverse, picture=grey)
    changed.back[0, 5] *= -1
    assert not np.array_equal(many, paint_maps(changed, 0, list(range(6)), **texts))


def arrows(weight):
    """Red and green pixels between two nodes of which 0 gives `weight` to 1."""
    one = view(2)
    one.adjacency[0][:] = [[5, 0], [weight, 5]]
    graph = paint_graph(one, 0, [0, 1], COLORS["paper"])
    row = graph[graph.shape[0] // 2].astype(int)  # one node is above, one below
    red, green = (row[:, 0] - row[:, 1] > 60).sum(), (row[:, 1] - row[:, 0] > 60).sum()
    return red, green


def test_an_edge_has_the_color_of_its_sign():
    assert arrows(2)[0] > 4 and arrows(2)[1] == 0
    assert arrows(-2)[1] > 4 and arrows(-2)[0] == 0


def test_a_stronger_edge_is_wider():
    one = view(2)
    one.adjacency[0][:] = [[0, -0.2], [1, 0]]
    row = paint_graph(one, 0, [0, 1], COLORS["paper"])[481].astype(int)
    red, green = row[:, 0] - row[:, 1] > 30, row[:, 1] - row[:, 0] > 30
    assert red.sum() > 2 * green.sum() > 0


@pytest.mark.parametrize("nodes, layers", [(1, 1), (4, 2), (64, 1), (300, 1)])
def test_graphs_and_matrices_of_any_size_are_drawn_a_layer_each(nodes, layers):
    one = view(nodes, layers)
    graph = paint_graph(one, 0, list(range(min(nodes, 20))))
    assert graph.shape[1] == 900 * layers
    matrix = paint_adjacency(one)
    single = paint_adjacency(view(nodes, 1))
    assert matrix.shape == (single.shape[0] * layers, single.shape[1], 3)


def test_a_matrix_has_the_weights_colors_a_row_the_node_that_receives():
    one = view(4)
    one.adjacency[0][:] = 0
    one.adjacency[0][3, 1] = -1
    matrix = paint_adjacency(one, COLORS["paper"])
    cell, left, top = 128, 42, 62
    green = colored(one.adjacency[0], COLORS["paper"])[3, 1]
    assert (matrix[top + 3 * cell + 9, left + cell + 9] == green).all()
    assert matrix[top + cell + 9, left + 3 * cell + 9].max() < 50
    assert green[1] > 200 > green[0]


def test_the_picture_of_its_number_is_below_the_maps():
    both = UnitView.joined([view(), view()], np.stack([BLACK, BLACK + 200]))
    first, second = (paint_maps(both, i, [0]) for i in (0, 1))
    assert second.mean() > first.mean() + 5
