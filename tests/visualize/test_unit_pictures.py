import numpy as np
import pytest

from gluon_glore.visualize.unit_pictures import (
    colored,
    overlay,
    paint_adjacency,
    paint_graph,
    paint_maps,
    spread,
)
from gluon_glore.visualize.unit_view import UnitView

BLACK = np.zeros((32, 48, 3), np.uint8)


def view(nodes=4, layers=1, reverse=False, seed=0):
    rng = np.random.RandomState(seed)
    mask, back = rng.normal(size=(2, nodes, 4, 6)).astype("float32")
    states = rng.normal(size=(nodes, 8)).astype("float32")
    graph = tuple(rng.normal(size=(layers, nodes, nodes)).astype("float32"))
    return UnitView("conv4_B01_extra", mask, back if reverse else None, states, states, graph)


def test_positive_is_red_negative_green_nothing_dark_and_brightness_the_size():
    colors = colored(np.float32([[4, 2, 0, -2, -4]]))[0].astype(int)
    assert tuple(colors[0]) > (250, 0, 0) and tuple(colors[0][1:]) < (100, 100)
    assert colors[4][1] > 200 and max(colors[4][[0, 2]]) < 120
    assert colors[2].max() < 50
    brightness = colors.max(axis=1)
    assert brightness[0] > brightness[1] > brightness[2] < brightness[3] < brightness[4]
    assert colored(np.zeros((2, 2), np.float32)).max() < 50


def test_the_picture_shines_through_where_a_map_is_zero():
    picture = np.full((8, 8, 1), 200, np.uint8)
    painted = overlay(picture, np.float32([[0, 1], [0, -1]]))
    assert painted.shape == (8, 8, 3) and len(set(painted[2, 0].tolist())) == 1
    assert 40 < painted[2, 0, 0] < 100
    red, green = painted[0, 4].astype(int), painted[4, 4].astype(int)
    assert red[0] - red[1] > 100 and green[1] - green[0] > 100


@pytest.mark.parametrize("size, places", [((32, 48), (4, 6)), ((224, 224), (14, 14))])
def test_a_location_lies_where_its_strided_convolution_is_centred(size, places):
    stride = size[0] // places[0]
    values = np.zeros(places, np.float32)
    values[1, 2] = 1
    at = spread(values, size)
    assert at.shape == size and at[stride, 2 * stride] == 1 and (at == 1).sum() == 1
    assert at[stride, 2 * stride + stride // 2] == pytest.approx(0.5, abs=0.02)
    values[:] = 0
    values[-1, -1] = 1  # and what lies behind the last has its value
    assert (spread(values, size)[-stride:, -stride:] == 1).all()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", [(32, 48, 3), (48, 32, 1), (512, 512, 3), (7, 90, 3)])
def test_every_node_has_a_map_and_with_its_own_way_back_two(shape, reverse):
    one = view(6, reverse=reverse)
    grey = np.full(shape, 60, np.uint8)
    few, many = (paint_maps(one, grey, list(range(n)), "a.png", "cat 9 %") for n in (2, 6))
    assert many.dtype == np.uint8 and many.shape[2] == 3
    assert many.shape[1] > few.shape[1] and few.shape[0] <= many.shape[0]
    changed = view(6, reverse=reverse)
    changed.back[5] *= -1
    assert not np.array_equal(many, paint_maps(changed, grey, list(range(6)), "a.png", "cat 9 %"))


def arrows(weight):
    """Red and green pixels between two nodes of which 0 gives `weight` to 1."""
    one = view(2)
    one.adjacency[0][:] = [[5, 0], [weight, 5]]
    graph = paint_graph(one, BLACK, [0, 1])
    row = graph[graph.shape[0] // 2].astype(int)  # one node is above, one below
    red, green = (row[:, 0] - row[:, 1] > 60).sum(), (row[:, 1] - row[:, 0] > 60).sum()
    return red, green


def test_an_edge_has_the_color_of_its_sign():
    assert arrows(2)[0] > 4 and arrows(2)[1] == 0
    assert arrows(-2)[1] > 4 and arrows(-2)[0] == 0


def test_a_stronger_edge_is_wider():
    one = view(2)
    one.adjacency[0][:] = [[0, -0.2], [1, 0]]
    row = paint_graph(one, BLACK, [0, 1])[481].astype(int)
    red, green = row[:, 0] - row[:, 1] > 30, row[:, 1] - row[:, 0] > 30
    assert red.sum() > 2 * green.sum() > 0


@pytest.mark.parametrize("nodes, layers", [(1, 1), (4, 2), (64, 1), (300, 1)])
def test_graphs_and_matrices_of_any_size_are_drawn_a_layer_each(nodes, layers):
    one = view(nodes, layers)
    graph = paint_graph(one, BLACK, list(range(min(nodes, 20))))
    assert graph.shape[1] == 900 * layers
    matrix = paint_adjacency(one)
    single = paint_adjacency(view(nodes, 1))
    assert matrix.shape == (single.shape[0] * layers, single.shape[1], 3)


def test_a_matrix_has_the_weights_colors_a_row_the_node_that_receives():
    one = view(4)
    one.adjacency[0][:] = 0
    one.adjacency[0][3, 1] = -1
    matrix = paint_adjacency(one)
    cell, left, top = 128, 42, 62
    green = colored(one.adjacency[0])[3, 1]
    assert (matrix[top + 3 * cell + 9, left + cell + 9] == green).all()
    assert matrix[top + cell + 9, left + 3 * cell + 9].max() < 50
    assert green[1] > 200 > green[0]
