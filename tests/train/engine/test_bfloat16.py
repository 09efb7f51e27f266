"""Operators and networks in bfloat16 beside float32: forward, and every gradient."""

import dataclasses
import json

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import SymbolBlock

from benchmarks.networks import settle
from gluon_glore import NetSpec, Network, Stage, Stem, get_spec, list_models
from gluon_glore.layers.basic import freeze_norm
from gluon_glore.layers.fcn_head import WithAuxiliary
from gluon_glore.networks.network import dtype_name
from tests.helpers.bfloat16 import needs_bfloat16
from tests.helpers.networks import open_gates
from train.engine.bfloat16 import LOWERED, Bfloat16, lowered
from train.engine.comm import LocalComm
from train.engine.sync_norm import Synchronized

S = mx.sym
BATCH, CHANNELS, SIZE = 4, 3, (17, 15)
ROUNDING = 0.01  # of a norm: bfloat16 has 8 bits
KINKS = 0.1  # where a rounding moves a number over zero, or another one is the largest


def conv(x, name, channels, kernel=3, **options):
    options = {"pad": (kernel // 2,) * 2, "no_bias": True, **options}
    return S.Convolution(x, name=name, num_filter=channels, kernel=(kernel, kernel), **options)


def norm(x, **options):
    return S.BatchNorm(x, name="norm", fix_gamma=False, eps=1e-5, **options)


def shifted(x, copies):
    """x in parts along the batch, in another order."""
    parts = list(S.split(x, num_outputs=copies, axis=0))
    return S.Concat(*parts[1:], parts[0], dim=0)


def over_frames(x, c):
    """A kernel over three frames in the batch: a convolution's parts, shifted and added."""
    before, here, behind = S.split(conv(x, "frames", 3 * c, 1), num_outputs=3, axis=1)
    first, *_, last = S.split(x, num_outputs=BATCH, axis=0)
    before = S.Concat(
        S.zeros_like(first), *list(S.split(before, num_outputs=BATCH, axis=0))[:-1], dim=0
    )
    behind = S.Concat(
        *list(S.split(behind, num_outputs=BATCH, axis=0))[1:], S.zeros_like(last), dim=0
    )
    return S.add_n(before, here, behind)


def flat_and_back(x, c):
    y = conv(S.Reshape(x, shape=(0, 0, -1, 1)), "flat", c, 1)
    ends = {"lhs_begin": 2, "lhs_end": None, "rhs_begin": 2, "rhs_end": None}
    return S.reshape_like(y, x, **ends)


def read_by_four(x, c):
    one, two, three = (conv(x, f"reader{i}", c, 1) for i in range(3))
    return S.elemwise_add(S.elemwise_add(one, two), S.elemwise_add(three, x))


def product(x, c):
    """What a unit does: float32 between two arrays in bfloat16."""
    a, b = (S.Reshape(conv(x, name, c, 1), shape=(0, 0, -1)) for name in "ab")
    y = S.batch_dot(S.batch_dot(a, b, transpose_b=True), b)
    return S.reshape_like(y, x, lhs_begin=2, lhs_end=3, rhs_begin=2, rhs_end=4)


# name: (operator, what is made of x (B, C, H, W) that a convolution gave, error allowed).
CASES = {
    "convolution": ("Convolution", lambda x, c: conv(x, "own", c), ROUNDING),
    "bias": ("Convolution", lambda x, c: conv(x, "own", c, no_bias=False), ROUNDING),
    "stride": ("Convolution", lambda x, c: conv(x, "own", c, stride=(2, 2)), ROUNDING),
    "dilated": (
        "Convolution",
        lambda x, c: conv(x, "own", c, dilate=(2, 2), pad=(2, 2)),
        ROUNDING,
    ),
    "batch norm": ("BatchNorm", lambda x, c: norm(x), ROUNDING),
    "frozen norm": ("BatchNorm", lambda x, c: norm(x, use_global_stats=True), ROUNDING),
    "relu": ("Activation", lambda x, c: S.Activation(x, act_type="relu"), KINKS),
    "max pool": (
        "Pooling",
        lambda x, c: S.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="max"),
        KINKS,
    ),
    "average pool": (
        "Pooling",
        lambda x, c: S.Pooling(
            x,
            kernel=(2, 2),
            stride=(2, 2),
            pool_type="avg",
            pooling_convention="full",
            count_include_pad=False,
        ),
        ROUNDING,
    ),
    "global pool": (
        "Pooling",
        lambda x, c: S.Pooling(x, kernel=(1, 1), global_pool=True, pool_type="avg"),
        ROUNDING,
    ),
    "flatten": ("Flatten", lambda x, c: S.Reshape(S.Flatten(x), shape=(0, 5, -1, 1)), ROUNDING),
    "sum": ("elemwise_add", lambda x, c: S.elemwise_add(x, conv(x, "own", c, 1)), ROUNDING),
    "four readers": ("elemwise_add", read_by_four, ROUNDING),
    "concat": ("Concat", lambda x, c: S.Concat(x, conv(x, "own", 8), dim=1), ROUNDING),
    "parts": ("SliceChannel", lambda x, c: shifted(x, 4), ROUNDING),
    "channels": ("SliceChannel", over_frames, ROUNDING),
    "sum of many": ("add_n", over_frames, ROUNDING),
    "zeros": ("zeros_like", over_frames, ROUNDING),
    "copy": ("slice_axis", lambda x, c: S.slice_axis(x, axis=0, begin=0, end=None), ROUNDING),
    "slice": (
        "slice_axis",
        lambda x, c: S.elemwise_add(
            S.slice_axis(x, axis=1, begin=0, end=8),
            S.slice_axis(x, axis=1, begin=c - 8, end=None),
        ),
        ROUNDING,
    ),
    "reshape": ("Reshape", flat_and_back, ROUNDING),
    "reshape_like": ("reshape_like", flat_and_back, ROUNDING),
    "product": ("Convolution", product, ROUNDING),
}


def types(symbol):
    """{operator's or variable's name: (op, the type of its first output)} of a symbol."""
    internals = symbol.get_internals()
    given = dict.fromkeys(symbol.list_arguments(), "float32")
    outputs = dict(zip(internals.list_outputs(), internals.infer_type(**given)[1]))
    nodes = json.loads(symbol.tojson(remove_amp_cast=False))["nodes"]
    return {
        node["name"]: (node["op"], dtype_name(outputs[name]))
        for node in nodes
        for name in (f"{node['name']}_output", f"{node['name']}_output0", node["name"])
        if name in outputs
    }


def numbers(symbol, arrays, head):
    """Outputs, gradients and statistics of a symbol by name, after two steps' worth of passes."""
    block = SymbolBlock(symbol, [S.var("data", dtype="float32")])
    block.initialize()
    for name, param in block.collect_params().items():
        param.set_data(mx.nd.array(arrays[name]))
    block.hybridize(static_alloc=True, static_shape=True)
    x = mx.nd.array(arrays["data"])
    x.attach_grad()
    for _ in range(2):
        with autograd.record():
            y = block(x)
        y.backward(mx.nd.array(head))
        mx.nd.waitall()
    found = {"output": y, "pixels": x.grad}
    for name, param in block.collect_params().items():
        found[name] = param.data() if param.grad_req == "null" else param.grad()
    return {name: array.asnumpy() for name, array in found.items()}


def draw(symbol, size=SIZE):
    """Arrays for a symbol's variables, and a gradient of its output."""
    rng = np.random.RandomState(0)
    shapes, outputs, moments = symbol.infer_shape(data=(BATCH, CHANNELS, *size))
    arrays = {
        name: rng.normal(size=shape) / np.prod(shape[1:] if name != "data" else 1) ** 0.5
        for name, shape in zip(symbol.list_arguments(), shapes)
    }
    arrays = {n: abs(a) + 0.5 if n.endswith("gamma") else a for n, a in arrays.items()}
    for name, shape in zip(symbol.list_auxiliary_states(), moments):
        arrays[name] = np.full(shape, float("var" in name))
    return arrays, rng.normal(size=outputs[0])


def error(actual, expected):
    """The norm of a difference, as a share of the expected one's."""
    return np.linalg.norm(actual - expected) / (np.linalg.norm(expected) + 1e-9)


@needs_bfloat16
@pytest.mark.parametrize("channels", [16, 13, 40])  # whole blocks of oneDNN's, none, and a rest
@pytest.mark.parametrize("case", CASES)
def test_an_operator_in_bfloat16_is_right_forward_and_backward(case, channels):
    op, make, allowed = CASES[case]
    made = make(conv(conv(S.var("data"), "stem", 8), "first", channels), channels)
    symbol = conv(made, "last", channels, 1)
    low = lowered(symbol)
    assert (op, "bfloat16") in types(low).values()
    arrays, head = draw(symbol)
    expected, actual = (numbers(s, arrays, head) for s in (symbol, low))
    assert expected.keys() == actual.keys()
    errors = {name: error(actual[name], expected[name]) for name in expected}
    assert max(errors.values()) < allowed, errors
    assert errors["output"] > 1e-4  # it is another arithmetic


@needs_bfloat16
@pytest.mark.parametrize(("channels", "groups"), [(32, 8), (32, 32), (26, 2)])
def test_convolutions_of_groups_are_right(channels, groups):
    x = conv(conv(S.var("data"), "stem", 8), "first", channels)
    symbol = conv(conv(x, "own", channels, num_group=groups), "last", channels, 1)
    arrays, head = draw(symbol)
    expected, actual = (numbers(s, arrays, head) for s in (symbol, lowered(symbol)))
    assert max(error(actual[name], expected[name]) for name in expected) < ROUNDING


def test_each_operator_that_is_lowered_has_a_case():
    assert {op for op, *_ in CASES.values()} == set(LOWERED)


@pytest.mark.parametrize(
    "other",
    [
        lambda x: S.Activation(x, act_type="sigmoid"),
        lambda x: S.BatchNorm(x, axis=2),
        lambda x: S.Pooling(x, kernel=(2, 2), pool_type="sum"),
        lambda x: S.Concat(*S.split(x, num_outputs=3, axis=2), dim=2),
        lambda x: S.transpose(x, axes=(0, 2, 1, 3)),
        lambda x: S.broadcast_mul(x, S.var("w", shape=(1, 8, 1, 1))),
        lambda x: S.Dropout(x),
    ],
)
def test_what_is_not_known_to_be_right_stays_float32(other):
    symbol = conv(other(conv(conv(S.var("data"), "stem", 8), "first", 8)), "last", 8)
    for op, dtype in types(lowered(symbol)).values():
        if op not in ("Convolution", "Concat", "amp_cast"):
            assert dtype == "float32", op


@pytest.mark.parametrize("name", list_models())
def test_a_network_has_its_trunk_in_bfloat16_and_all_else_in_float32(name):
    net = Network(get_spec(name))
    found = types(lowered(net(S.var("data"))))
    for op, dtype in found.values():
        assert op in {*LOWERED, "amp_cast"} or dtype == "float32", op
    layers = [dtype for op, dtype in found.values() if op == "Convolution"]
    assert layers[0] == "float32"  # the stem
    assert set(layers[1:]) == {"bfloat16"}


STAGES = (Stage(1, 32, 1), Stage(2, 64, 2), Stage(1, 64, 1))
SPEC = NetSpec(
    stages=STAGES, stem=Stem(16, kernel=3, stride=1, pool=3), input_size=(32, 32), classes=5
)
UNIT = {"res3": (1,), "mid_channels": 16}
NETWORKS = {
    "glore": SPEC.with_units("glore", **UNIT),
    "glore post": SPEC.with_units("glore", arrangement="post", normalize=True, **UNIT),
    "non-local": SPEC.with_units("nonlocal", **UNIT),
    "squeeze-and-excitation": dataclasses.replace(SPEC, squeeze_excite=4),
    "dual path": dataclasses.replace(
        SPEC,
        family="dpn",
        stages=tuple(dataclasses.replace(s, mid_channels=32, groups=8, growth=8) for s in STAGES),
    ).with_units("glore", **UNIT),
    "shared norm": dataclasses.replace(SPEC, shared_norm=True, bottleneck=False),
    "pixels' norm": dataclasses.replace(SPEC, stem=Stem(16, 3, 1, 0, norm_input=True)),
    "clips": get_spec("tiny_3d_glore_0_1"),
    "clips, non-local": get_spec("tiny_3d_nl_0_1"),
}


def gradients(net, block, x, y):
    """Outputs, and gradients and statistics by name, of a step through `block`."""
    with autograd.record():
        outputs = block(x)
        first = outputs[0] if isinstance(outputs, (list, tuple)) else outputs
        losses = mx.nd.log_softmax(first, axis=1).pick(y, axis=1).mean()
        if first is not outputs:
            losses = losses + outputs[1].mean()
    losses.backward()
    mx.nd.waitall()
    found = {
        name: (param.data() if param.grad_req == "null" else param.grad()).asnumpy()
        for name, param in net.collect_params().items()
        if param.grad_req != "null" or "running" in name
    }
    return first.asnumpy(), found


def alike(net, graph, x, y, other=None):
    """Hold a graph in bfloat16 to `other`, or the network, in float32: all that a step gives.

    Gradients differ by more than roundings, where rectifiers stand behind each other (see KINKS).
    """
    kept = {name: p.data().copy() for name, p in net.collect_params(".*running.*").items()}
    expected, exact = gradients(net, other or net, x, y)
    for name, array in kept.items():
        net.collect_params()[name].set_data(array)
    actual, found = gradients(net, graph, x, y)
    assert actual.dtype == np.float32
    assert 1e-4 < error(actual, expected) < 0.05
    assert exact.keys() == found.keys()
    whole = np.sqrt(
        sum(np.square(array).sum() for name, array in exact.items() if name not in kept)
    )
    off = np.sqrt(sum(np.square(found[n] - exact[n]).sum() for n in exact if n not in kept))
    assert off < 0.4 * whole
    for name in exact:
        a, b = exact[name].ravel(), found[name].ravel()
        if name in kept:
            assert error(b, a) < 0.05, name
        elif np.linalg.norm(a) > 1e-3 * whole:  # not one that is zero but for roundings
            assert a @ b > 0.8 * np.linalg.norm(a) * np.linalg.norm(b), name


def start(spec):
    """A network, a batch for it, and labels."""
    mx.random.seed(0)
    net = Network(spec, classes=5)
    net.initialize()
    open_gates(net)
    for param in net.collect_params(".*theta.*weight").values():  # else one location has it all
        param.set_data(0.1 * param.data())
    net.hybridize(static_alloc=True, static_shape=True)
    shape = (8, spec.in_channels, *([8] if spec.ndim == 3 else []), 32, 32)
    x = mx.nd.array(np.random.RandomState(0).normal(size=shape))
    return net, x, mx.nd.arange(8) % 5


@needs_bfloat16
@pytest.mark.parametrize("name", NETWORKS)
def test_a_whole_network_trains_alike(name):
    net, x, y = start(NETWORKS[name])
    alike(net, Bfloat16(net), x, y)


@needs_bfloat16
def test_frozen_statistics_stay():
    net, x, y = start(NETWORKS["glore post"])
    settle(net, x)
    freeze_norm(net)
    net.hybridize(static_alloc=True, static_shape=True)
    before = {n: p.data().asnumpy() for n, p in net.collect_params(".*running.*").items()}
    alike(net, Bfloat16(net), x, y)
    for name, array in before.items():
        assert np.array_equal(net.collect_params()[name].data().asnumpy(), array), name


@needs_bfloat16
def test_a_synchronized_graph_trains_alike():
    net, x, y = start(NETWORKS["glore"])
    graph = Synchronized(net, LocalComm())
    alike(net, Bfloat16(graph), x, y, other=graph)


@needs_bfloat16
def test_a_graph_of_two_outputs_gives_both():
    spec = get_spec("fcn_small_glore_1_cityscapes")
    head = dataclasses.replace(spec.head, auxiliary=len(spec.stages))
    net, x, y = start(dataclasses.replace(spec, head=head, dropout=0.0))
    graph = WithAuxiliary(net)
    graph.hybridize()
    labels = mx.nd.zeros((8, 32, 32)) + y.reshape((8, 1, 1))
    alike(net, Bfloat16(graph), x, labels, other=graph)
