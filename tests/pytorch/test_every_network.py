"""Every network in PyTorch computes what it does in Gluon, of the same parameters."""

import functools

import numpy as np
import pytest

from gluon_glore import get_spec, list_models

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("mxnet", reason="compares with MXNet, which is not installed")

from gluon_glore.pytorch import to_mxnet  # noqa: E402
from tests.helpers.networks import relative_error, values  # noqa: E402
from tests.helpers.odd_networks import ODD  # noqa: E402
from tests.helpers.spellings import gradients, outputs, pair  # noqa: E402

# Of the largest gradient: those that are 0, as of a bias before a BatchNorm, are less by rounding.
NONE = 1e-10


def without_dropout(spec):
    return type(spec)(**{**vars(spec), "dropout": 0.0})


def make(name):
    spec = ODD[name] if name in ODD else get_spec(name)
    return pair(without_dropout(spec), 7)


@pytest.fixture(scope="module")
def made():
    """`make`, once for all tests of a network."""
    return functools.lru_cache(maxsize=1)(make)


every_network = pytest.mark.parametrize("name", [*list_models(), *ODD], scope="module")


@every_network
def test_parameters_go_there_and_back_bit_by_bit(made, name):
    net, twin, _ = made(name)
    ours = values(net)
    back = to_mxnet(twin.state_dict())
    assert sorted(back) == sorted(ours)
    assert all(back[name].dtype == np.float32 for name in ours)
    assert all(back[name].tobytes() == ours[name].tobytes() for name in ours)
    assert all(back[name].shape == ours[name].shape for name in ours)
    trained = [p.data().size for p in net.collect_params().values() if p.grad_req != "null"]
    assert sum(p.numel() for p in twin.parameters()) == sum(trained)


@every_network
def test_outputs_agree(made, name):
    ours, theirs = outputs(*made(name))
    assert np.isfinite(ours).all() and np.abs(ours).max() > 0
    assert ours.shape == theirs.shape
    assert relative_error(theirs, ours) < 1e-4


@every_network
def test_gradients_of_all_parameters_agree(made, name):
    """In float64: in float32 a ReLU that flips by rounding changes them by percents.

    It is the last test of a network: both are of float64 behind it.
    """
    ours, theirs = gradients(*made(name))
    assert sorted(theirs) == sorted(ours)
    largest = {name: np.abs(gradient).max() for name, gradient in ours.items()}
    least = NONE * max(largest.values())
    errors = {
        name: np.abs(theirs[name] - gradient).max() / max(largest[name], least)
        for name, gradient in ours.items()
    }
    assert {name: error for name, error in errors.items() if not error < 1e-3} == {}
