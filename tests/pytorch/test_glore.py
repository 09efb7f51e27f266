import copy
import warnings

import numpy as np
import pytest

from gluon_glore import GloReUnit, InputError
from tests.helpers.networks import relative_error
from tests.helpers.places import GOLDEN
from tests.helpers.units import OPTIONS, SPACES

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from gluon_glore.pytorch import GloRe  # noqa: E402


@pytest.mark.parametrize("extend_first", [False, True])
@pytest.mark.parametrize("case", ["1d", "2d", "2d_normalized", "3d"])
def test_outputs_and_gradients_are_those_of_the_authors_unit(case, extend_first):
    golden = np.load(GOLDEN / f"glore_unit_{case}.npz")
    unit = GloRe(
        int(golden["num_in"]),
        int(golden["num_mid"]),
        ndim=golden["x"].ndim - 2,
        normalize=bool(golden["normalize"]),
        extend_first=extend_first,
    )
    state = {
        key[len("param/") :]: torch.from_numpy(golden[key])
        for key in golden.files
        if key.startswith("param/")
    }
    unit.load_state_dict(state)  # names and shapes are theirs
    x = torch.from_numpy(golden["x"])
    assert relative_error(unit.eval()(x).detach().numpy(), golden["y_eval"]) < 1e-4
    unit.train()
    x.requires_grad_()
    y = unit(x)
    (y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum().backward()
    assert relative_error(y.detach().numpy(), golden["y_train"]) < 1e-4
    assert relative_error(x.grad.numpy(), golden["grad_x"]) < 1e-4
    for weight, theirs in (
        (unit.conv_proj.weight, "grad_conv_proj_weight"),
        (unit.gcn.conv1.weight, "grad_gcn_conv1_weight"),
    ):
        assert relative_error(weight.grad.numpy(), golden[theirs]) < 1e-4


def test_a_unit_starts_as_the_identity_unless_told_or_a_pre_activation_one():
    x = torch.randn(2, 8, 5, 5)
    for options, same in (
        ({}, True),
        ({"zero_gamma": False}, False),
        ({"arrangement": "pre"}, False),
    ):
        unit = GloRe(8, 2, **options)
        assert torch.equal(unit(x), x) is same


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("arrangement", ["pre", "post"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_every_option_trains_in_every_dimension(ndim, arrangement, options):
    unit = GloRe(16, 4, ndim=ndim, arrangement=arrangement, **options)
    for module in unit.modules():
        if hasattr(module, "running_mean"):
            torch.nn.init.ones_(module.weight)
    x = torch.randn(2, 16, *SPACES[ndim])
    before = x.clone()
    y = unit(x)
    y.pow(3).sum().backward()
    assert torch.equal(x, before)
    assert y.shape == x.shape
    assert all(p.grad.abs().max() > 0 for p in unit.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mid_channels": 0}, "mid_channels must be at least 1"),
        ({"ndim": 4}, "ndim must be 1, 2 or 3"),
        ({"arrangement": "none"}, "arrangement must be one of"),
        ({"in_channels": 8.0}, "in_channels: a whole number, given 8.0"),
        ({"normalize": 1}, "normalize: true or false, given 1"),
        ({"extend_first": True, "arrangement": "pre"}, "extend_first needs arrangement 'post'"),
    ],
)
def test_impossible_units_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        GloRe(**{"in_channels": 8, "mid_channels": 2, **arguments})


def test_a_unit_of_a_row_is_that_of_its_options():
    torch.manual_seed(0)
    row = GloReUnit("a", 8, 2, 3, "post", graph_layers=2, eps=0.125)
    unit, other = GloRe.from_unit(row), GloRe(8, 2, 3, graph_layers=2, eps=0.125)
    assert {k: v.shape for k, v in unit.state_dict().items()} == {
        k: v.shape for k, v in other.state_dict().items()
    }
    assert unit.blocker.eps == other.blocker.eps == 0.125
    other.load_state_dict(unit.state_dict())
    x = torch.randn(2, 8, 3, 4, 5)
    assert torch.equal(unit(x), other(x))


def test_a_unit_stands_in_any_network_and_is_copied_with_it():
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), GloRe(8, 2, zero_gamma=False)).eval()
    x = torch.randn(2, 3, 9, 9)
    again = copy.deepcopy(net)
    assert torch.equal(again(x), net(x))
    net[1].conv_extend.weight.data.zero_()
    assert not torch.equal(again(x), net(x))


UNSET = "statistics of {} are unset, and the outputs may"


@pytest.mark.filterwarnings("error:evaluated untrained")
def test_a_pre_activation_unit_that_is_evaluated_untrained_says_so_once():
    x = torch.randn(2, 8, 5, 5)
    unit = GloRe(8, 2, arrangement="pre").eval()
    with pytest.warns(UserWarning, match=UNSET.format("GloRe")):
        unit(x)
    unit(x)
    GloRe(8, 2).eval()(x)  # of the other arrangement


@pytest.mark.filterwarnings("error:evaluated untrained")
def test_a_unit_that_was_trained_a_step_or_is_in_training_says_nothing():
    x = torch.randn(2, 8, 5, 5)
    unit = GloRe(8, 2, arrangement="pre")
    unit(x)
    unit.eval()(x)


def test_code_that_is_exported_does_not_look():
    unit = GloRe(8, 2, arrangement="pre").eval()
    x = torch.randn(2, 8, 5, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        program = torch.export.export(unit, (x,))
    with pytest.warns(UserWarning, match="evaluated untrained"):
        expected = unit(x)
    assert torch.equal(program.module()(x), expected)
