import numpy as np
import pytest

from gluon_glore import InputError
from gluon_glore.visualize.unit_view import Edge, UnitView


def view(maps, states, adjacency=((0, 1), (2, 3)), reverse=None):
    """A unit in one picture."""
    maps, states = np.float32(maps)[None], np.float32(states)[None]
    return UnitView("u", maps, states, states, np.float32(adjacency)[None], reverse)


def test_strength_is_the_share_of_energy_given_back_whatever_the_scale_of_the_map():
    mask, states = np.zeros((3, 2, 2)), np.float32([[3, 4], [1, 0], [0, 0]])
    mask[:, 0] = [[1, 1], [-5, 0], [9, 9]]
    assert view(mask, states).strength[0] == pytest.approx([2 / 3, 1 / 3, 0])  # 2 * 25, 25 * 1, 0
    scaled = np.float32([10, 1, 1])[:, None]
    assert view(mask * scaled[..., None], states / scaled).strength[0] == pytest.approx(
        [2 / 3, 1 / 3, 0]
    )
    other = np.zeros((1, 3, 2, 2), np.float32)
    other[0, 1] = 1
    assert view(mask, states, reverse=other).strength[0] == pytest.approx([0, 1, 0])
    assert view(mask, 0 * states).strength.tolist() == [[0, 0, 0]]


def test_each_picture_has_strengths_of_its_own_in_any_dimension():
    states = np.float32([[[1], [0]], [[1], [1]], [[0], [2]]])
    for space in ((5,), (2, 3), (2, 2, 2)):
        one = UnitView("u", np.ones((3, 2, *space), np.float32), states, states, np.eye(2)[None])
        assert one.strength.tolist() == [[1, 0], [0.5, 0.5], [0, 1]]
        assert one.strongest(1, picture=2) == [1] and one.strongest(2) == [0, 1]
        assert repr(one) == f"<UnitView u: 3 x 2 maps of {'x'.join(map(str, space))}>"


def test_views_of_several_pictures_are_joined_in_their_order():
    views = [view(np.full((2, 1, 1), i), [[i], [i]], reverse=np.ones((1, 2, 1, 1))) for i in (1, 2)]
    pictures = np.zeros((2, 4, 4, 1), np.uint8)
    both = UnitView.joined(views, pictures)
    assert both.maps[:, 0, 0, 0].tolist() == [1, 2] and both.states[:, 1, 0].tolist() == [1, 2]
    assert both.reverse.shape == (2, 2, 1, 1) and both.adjacency.shape == (1, 2, 2)
    assert both.pixels(1) is not None and both.pictures is pictures


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


def test_a_plot_is_a_picture_for_a_notebook_of_what_is_asked_for():
    one = view(np.random.RandomState(0).normal(size=(12, 4, 4)), np.ones((12, 3)), np.eye(12))
    seen = UnitView.joined([one, one], np.full((2, 16, 16, 3), 200, np.uint8))
    for kind in ("maps", "graph", "adjacency"):
        plot = seen.plot(kind, picture=1)
        assert plot.mode == "RGB" and plot._repr_png_().startswith(b"\x89PNG")
        assert np.asarray(plot).std() > 5
    dark = np.asarray(one.plot())  # without the picture
    assert dark.mean() < np.asarray(seen.plot()).mean()
    strongest = np.asarray(seen.plot(nodes=2))
    assert np.array_equal(strongest, seen.plot(nodes=seen.strongest(2)))
    assert not np.array_equal(strongest, seen.plot(nodes=(5, 7)))
    assert not np.array_equal(strongest, seen.plot(nodes=2, colors="paper"))


def test_a_plot_of_what_is_not_there_is_refused():
    one = view(np.ones((4, 2, 2)), np.ones((4, 1)), np.eye(4))
    for options, message in (
        ({"kind": "map"}, "kind is one of maps, graph, adjacency, given 'map'"),
        ({"picture": 1}, "pictures are 0 to 0, given 1"),
        ({"picture": -1}, "pictures are 0 to 0, given -1"),
        ({"nodes": (4,)}, "u: nodes are 0 to 3, given 4"),
        ({"nodes": 0}, "nodes: at least one"),
        ({"nodes": -1}, "nodes: at least one"),
        ({"nodes": ()}, "nodes: at least one"),
        ({"colors": "red"}, "colors are blue-orange or paper, given 'red'"),
    ):
        with pytest.raises(InputError, match=message):
            one.plot(**options)
    clip = UnitView(
        "u", np.ones((1, 4, 2, 2, 2)), np.ones((1, 4, 1)), np.ones((1, 4, 1)), np.ones((1, 4, 4))
    )
    assert clip.plot("adjacency").size[0] > 0
    with pytest.raises(InputError, match="u: its maps have 3 dimensions"):
        clip.plot()
