import pytest

from gluon_glore import InputError
from train.paper.gluoncv_network import run_size
from train.paper.studies import STUDIES

CONFIG = {
    "model": {"name": "cifar_resnet20_v1", "units": {}, "classes": 2},
    "data": {"mean": [22], "size": [16, 16]},
}


def size(**model):
    pytest.importorskip("gluoncv")
    return run_size({**CONFIG, "model": {**CONFIG["model"], **model}})


def test_the_size_is_that_of_the_network_and_its_unit():
    """Counted by hand: GloRe on 64 channels of 4x4 locations, 16 nodes of 32 states."""
    parameters, macs = size()
    more_parameters, more_macs = size(units=STUDIES["inserted"].variants["res4"].units)
    state, projection, adjacency, update, extension = 64 * 32, 64 * 16, 16 * 16, 32 * 32, 32 * 64
    biases_and_norm = 32 + 16 + 16 + 2 * 64
    weights = state + projection + adjacency + update + extension
    assert more_parameters - parameters == weights + biases_and_norm
    locations = 16
    on_locations = locations * (state + projection + extension)
    on_nodes = 32 * adjacency + 16 * update
    there_and_back = 2 * locations * 16 * 32
    assert more_macs - macs == on_locations + on_nodes + there_and_back


def test_a_network_that_gluoncv_lacks_is_named():
    with pytest.raises(InputError, match="no_such_network"):
        size(name="no_such_network")
