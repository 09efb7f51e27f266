import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from gluon_glore import GloRe, GloReUnit, InputError, Network, NonLocal, get_spec
from gluon_glore.plan.extra_units import NonLocalUnit
from gluon_glore.plan.fields import spec_from_fields, spec_to_fields
from gluon_glore.pytorch.names import our_name
from tests.helpers.networks import open_gates, relative_error
from tests.helpers.places import GOLDEN
from tests.helpers.units import OPTIONS, SPACES


@pytest.mark.parametrize("hybridize", [False, True])
@pytest.mark.parametrize("extend_first", [False, True])
@pytest.mark.parametrize("case", ["1d", "2d", "2d_normalized", "3d"])
def test_outputs_and_gradients_are_those_of_the_authors_unit(case, extend_first, hybridize):
    golden = np.load(GOLDEN / f"glore_unit_{case}.npz")
    unit = GloRe(
        int(golden["num_in"]),
        int(golden["num_mid"]),
        ndim=golden["x"].ndim - 2,
        arrangement="post",
        normalize=bool(golden["normalize"]),
        extend_first=extend_first,
        prefix="conv3_B01_extra_",
    )
    unit.initialize()
    if hybridize:
        unit.hybridize()
    params = unit.collect_params()
    states = {
        our_name(key.replace("param/", "conv3.B01_extra.")): golden[key]
        for key in golden.files
        if key.startswith("param/")
    }
    assert set(states) == set(params)
    for name, value in states.items():
        params[name].set_data(mx.nd.array(value.reshape(params[name].shape)))

    x = mx.nd.array(golden["x"])
    assert relative_error(unit(x).asnumpy(), golden["y_eval"]) < 1e-4
    x.attach_grad()
    with autograd.record():
        y = unit(x)
        loss = (y * mx.nd.array(np.linspace(-1, 1, y.size).reshape(y.shape))).sum()
    loss.backward()
    assert relative_error(y.asnumpy(), golden["y_train"]) < 1e-4
    assert relative_error(x.grad.asnumpy(), golden["grad_x"]) < 1e-4
    for ours, theirs in (
        ("conv3_B01_extra_conv-proj__conv_weight", "grad_conv_proj_weight"),
        ("conv3_B01_extra_GCN-G__conv_weight", "grad_gcn_conv1_weight"),
    ):
        gradient = params[ours].grad().asnumpy().reshape(golden[theirs].shape)
        assert relative_error(gradient, golden[theirs]) < 1e-4


def reference(x, params, prefix, normalize=False, graph_layers=1, shared=True):
    """The post arrangement without its BatchNorm's shift, in plain numpy, (B, C, L)."""

    def conv(x, name):
        weight = params[f"{prefix}{name}__conv_weight"].data().asnumpy()
        weight = weight.reshape(weight.shape[:2])
        y = np.einsum("oc,bcl->bol", weight, x)
        bias = params.get(f"{prefix}{name}__conv_bias") if name not in ("fc-2",) else None
        return y if bias is None else y + bias.data().asnumpy()[None, :, None]

    state, mask = conv(x, "conv-state"), conv(x, "conv-proj")
    v = np.einsum("bsl,bnl->bsn", state, mask) / (x.shape[2] if normalize else 1)
    for layer in range(1, graph_layers + 1):
        suffix = "" if layer == 1 else f"-{layer}"
        related = conv(v.transpose(0, 2, 1), f"GCN-G{suffix}").transpose(0, 2, 1)
        weight = params[f"{prefix}GCN-GHW{suffix}__conv_weight"].data().asnumpy()
        v = np.einsum("oc,bcn->bon", weight[:, :, 0, 0], np.maximum(v + related, 0))
    back = mask if shared else conv(x, "conv-reverse")
    y = np.einsum("bsn,bnl->bsl", v, back)
    y = np.einsum(
        "oc,bcl->bol", params[f"{prefix}fc-2__conv_weight"].data().asnumpy()[..., 0, 0], y
    )
    return x + y / np.sqrt(1 + 1e-4)  # BatchNorm of mean 0, variance 1, eps 1e-4


@pytest.mark.parametrize(
    "options",
    [
        {"normalize": True, "graph_layers": 2},
        {"graph_layers": 3, "normalize": True, "shared_projection": False},
    ],
)
def test_graph_layers_and_own_reverse_projection_compute_what_the_paper_says(options):
    unit = GloRe(8, 3, ndim=1, arrangement="post", prefix="unit_", **options)
    unit.initialize(mx.init.Normal(0.5))
    open_gates(unit)
    x = np.random.RandomState(0).normal(size=(2, 8, 5)).astype("float32")
    expected = reference(
        x,
        dict(unit.collect_params().items()),
        "unit_",
        normalize=True,
        graph_layers=options["graph_layers"],
        shared=options.get("shared_projection", True),
    )
    assert relative_error(unit(mx.nd.array(x)).asnumpy(), expected) < 1e-4


def test_pooled_way_in_averages_locations():
    """On an input that is constant over each window, pooling and normalising change nothing."""
    full = GloRe(8, 3, normalize=True, arrangement="post", prefix="unit_")
    pooled = GloRe(8, 3, normalize=True, arrangement="post", pool_stride=2, prefix="unit_")
    for unit in (full, pooled):
        mx.random.seed(3)
        unit.initialize(force_reinit=True)
        open_gates(unit)
    x = mx.nd.random.normal(shape=(2, 8, 3, 4)).repeat(2, axis=2).repeat(2, axis=3)
    assert relative_error(pooled(x).asnumpy(), full(x).asnumpy()) < 1e-5
    x = mx.nd.random.normal(shape=(2, 8, 6, 8))
    assert relative_error(pooled(x).asnumpy(), full(x).asnumpy()) > 1e-3


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("arrangement", ["pre", "post"])
@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_every_option_trains_in_every_dimension_hybridised_or_not(ndim, arrangement, options):
    unit = GloRe(16, 4, ndim=ndim, arrangement=arrangement, **options)
    unit.initialize()
    open_gates(unit)
    results = []
    for hybridize in (False, True):
        unit.hybridize(hybridize)
        for batch in (2, 1):
            x = mx.nd.array(np.random.RandomState(1).normal(size=(batch, 16, *SPACES[ndim])))
            with autograd.record():
                y = unit(x)
                loss = (y * y * y).sum()
            loss.backward()
            assert y.shape == x.shape
            gradients = {
                name: param.grad().asnumpy()
                for name, param in unit.collect_params().items()
                if param.grad_req != "null"
            }
            assert all(np.abs(g).max() > 0 for g in gradients.values())
            results.append((y.asnumpy(), gradients))
    for (y, grads), (hybrid_y, hybrid_grads) in zip(results[:2], results[2:]):
        assert relative_error(hybrid_y, y) < 1e-4
        for name, gradient in grads.items():
            assert relative_error(hybrid_grads[name], gradient) < 1e-3


@pytest.mark.parametrize("kind", ["glore", "nonlocal"])
def test_a_block_of_a_row_is_the_block_of_its_options(kind):
    """Parameters, their first values, the graph; `test_symbols.py` has that of every option."""
    block, row = {"glore": (GloRe, GloReUnit), "nonlocal": (NonLocal, NonLocalUnit)}[kind]
    options = {"arrangement": "post"} if kind == "glore" else {"subsample": 2}
    options = {**options, "ndim": 3, "zero_gamma": False, "eps": 0.125}
    made = []
    for unit in (
        block(8, 2, prefix="a_", **options),
        block.from_unit(row("a", 8, 2, **options)),
    ):
        with mx.name.NameManager():
            graph = unit(mx.sym.var("data")).tojson()
        mx.random.seed(1)
        unit.initialize(mx.init.Normal(0.5))
        made.append((graph, {k: p.data().asnumpy() for k, p in unit.collect_params().items()}))
    (graph, weights), (other_graph, others) = made
    assert graph == other_graph and list(weights) == list(others)
    assert all(np.array_equal(weights[name], others[name]) for name in weights)


def test_a_unit_starts_as_the_identity_unless_it_is_a_pre_activation_one():
    x = mx.nd.random.normal(shape=(2, 8, 5, 5))
    for options, same in (({}, True), ({"arrangement": "pre"}, False)):
        unit = GloRe(8, 2, **options)
        unit.initialize()
        assert np.array_equal(unit(x).asnumpy(), x.asnumpy()) is same


def test_zero_gamma_false_starts_the_last_gamma_at_one_and_off_the_identity():
    x = mx.nd.random.normal(shape=(2, 8, 5, 5))
    for zero, value in ((True, 0), (False, 1)):
        unit = GloRe(8, 2, arrangement="post", zero_gamma=zero)
        unit.initialize()
        ((_, gamma),) = unit.collect_params(".*gamma").items()
        assert (gamma.data().asnumpy() == value).all()
        assert np.array_equal(unit(x).asnumpy(), x.asnumpy()) is zero


@pytest.mark.parametrize("kind", ["glore", "nonlocal"])
def test_a_networks_units_start_as_zero_gamma_says(kind):
    options = {"arrangement": "post"} if kind == "glore" else {}
    for zero in (True, False):
        row = get_spec("tiny").with_units(kind, res4=(1,), zero_gamma=zero, **options)
        net = Network(row)
        net.initialize()
        ((_, gamma),) = net.collect_params(".*_extra_.*gamma").items()
        assert (gamma.data().asnumpy() == (not zero)).all()
        assert spec_from_fields(spec_to_fields(row), row.name, row.source) == row  # files carry it


def test_units_in_a_users_own_block_take_its_names():
    class Mine(mx.gluon.HybridBlock):
        def __init__(self):
            super().__init__(prefix="mine_")
            with self.name_scope():
                self.first = GloRe(8, 2, arrangement="pre")
                self.second = GloRe(8, 2, arrangement="pre")

        def hybrid_forward(self, F, x):
            return self.second(self.first(x))

    names = list(Mine().collect_params())
    assert names[0] == "mine_glore0_conv-state__bn_gamma"
    assert len(names) == len(set(names)) == 2 * 5 * 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mid_channels": 0}, "mid_channels must be at least 1"),
        ({"ndim": 4}, "ndim must be 1, 2 or 3"),
        ({"arrangement": "none"}, "arrangement must be one of"),
        ({"arrangement": ["post"]}, r"\('pre', 'post'\), given \['post'\]"),
        ({"arrangement": None}, r"\('pre', 'post'\), given None"),
        ({"in_channels": "8"}, "in_channels: a whole number, given '8'"),
        ({"in_channels": 8.0}, "in_channels: a whole number, given 8.0"),
        ({"mid_channels": None}, "mid_channels: a whole number, given None"),
        ({"mid_channels": True}, "mid_channels: a whole number, given True"),
        ({"graph_layers": [1]}, r"graph_layers: a whole number, given \[1\]"),
        ({"normalize": 1}, "normalize: true or false, given 1"),
        ({"extend_first": "no"}, "extend_first: true or false, given 'no'"),
        ({"eps": "1e-4"}, "eps: a number from 0, given '1e-4'"),
        ({"momentum": float("nan")}, "momentum: a number from 0, given nan"),
        (
            {"zero_gamma": False, "arrangement": "pre"},
            "zero_gamma is of arrangement 'post', given 'pre'",
        ),
    ],
)
def test_impossible_units_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        GloRe(**{"in_channels": 8, "mid_channels": 2, **arguments})


def untrained(hybridize=False, units=1, arrangement="pre"):
    """Units in a row."""
    net = mx.gluon.nn.HybridSequential()
    for number in range(units):
        net.add(GloRe(8, 2, arrangement=arrangement, prefix=f"unit{number}_"))
    net.initialize()
    net.hybridize(hybridize)
    return net


@pytest.mark.filterwarnings("error:evaluated untrained")
def test_a_pre_activation_unit_that_is_evaluated_untrained_says_so_once():
    x = mx.nd.random.normal(shape=(2, 8, 5, 5))
    net = untrained()
    with pytest.warns(UserWarning, match="statistics of unit0 are unset, and the outputs may"):
        net(x)
    net(x)
    untrained(arrangement="post")(x)


@pytest.mark.filterwarnings("error:evaluated untrained")
def test_a_unit_that_was_trained_a_step_says_nothing():
    x = mx.nd.random.normal(shape=(2, 8, 5, 5))
    for hybridize in (False, True):
        net = untrained(hybridize)
        with autograd.record():
            y = net(x)
        y.backward()
        net(x)  # at once, while backward may still be writing the statistics


def test_a_unit_without_values_is_looked_at_when_it_has_some():
    net = GloRe(8, 2, arrangement="pre")
    x = mx.nd.ones((1, 8, 4, 4))
    with pytest.raises(RuntimeError, match="has not been initialized"):
        net(x)
    net.initialize()
    with pytest.warns(UserWarning, match="evaluated untrained"):
        net(x)
