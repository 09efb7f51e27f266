import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.visualize.unit_view import Edge, UnitView


def view(mask, states, adjacency=((0, 1), (2, 3)), reverse=None):
    mask, states = np.float32(mask), np.float32(states)
    return UnitView("u", mask, reverse, states, states, (np.float32(adjacency),))


def test_strength_is_the_share_of_energy_given_back_whatever_the_scale_of_the_map():
    mask, states = np.zeros((3, 2, 2)), np.float32([[3, 4], [1, 0], [0, 0]])
    mask[:, 0] = [[1, 1], [-5, 0], [9, 9]]
    assert view(mask, states).strength == pytest.approx([2 / 3, 1 / 3, 0])  # 2 * 25, 25 * 1, 0
    scaled = np.float32([10, 1, 1])[:, None]
    assert view(mask * scaled[..., None], states / scaled).strength == pytest.approx(
        [2 / 3, 1 / 3, 0]
    )
    other = np.zeros((3, 2, 2), np.float32)
    other[1] = 1
    assert view(mask, states, reverse=other).strength == pytest.approx([0, 1, 0])
    assert view(mask, 0 * states).strength.tolist() == [0, 0, 0]


def test_strongest_come_in_order_and_equal_ones_by_number():
    one = view(np.ones((4, 1, 1)), [[1], [2], [2], [0]])
    assert one.strongest(3) == [1, 2, 0]
    assert one.strongest(99) == [1, 2, 0, 3]


def test_nodes_are_picked_once_each_and_only_those_there_are():
    one = view(np.ones((4, 1, 1)), np.ones((4, 1)))
    assert one.pick((3, 0, 3)) == [3, 0]
    for node in (4, -1):
        with pytest.raises(InputError, match=f"u: nodes are 0 to 3, given {node}"):
            one.pick((0, node))


def test_edges_are_the_largest_of_either_sign_from_column_to_row_and_never_to_oneself():
    adjacency = [[9, 1, -4], [2, 9, 0], [3, -5, 9]]
    one = view(np.ones((3, 1, 1)), np.ones((3, 1)), adjacency)
    assert one.edges(3) == [Edge(1, 2, -5), Edge(2, 0, -4), Edge(0, 2, 3)]
    assert len(one.edges(99)) == 6
    assert one.edges(9, among=[2, 0]) == [Edge(2, 0, -4), Edge(0, 2, 3)]
    assert one.edges(9, among=[1]) == []
