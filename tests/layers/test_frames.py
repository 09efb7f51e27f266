"""Time in the batch axis gives the numbers of five axes."""

import dataclasses
from typing import ClassVar

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import HybridBlock

from gluon_glore import NetSpec, Network, Stage, Stem
from gluon_glore.layers import frames
from gluon_glore.layers.basic import convolution
from gluon_glore.networks.network import BLOCKS
from gluon_glore.plan.extra_units import EXTRA_UNITS
from gluon_glore.plan.spec import MID_DIVISOR
from gluon_glore.plan.units import make_conv
from gluon_glore.weights import set_weights
from symbols.network import spell_network
from symbols.units import SPELL
from tests.helpers.networks import initialize, open_gates, values
from tests.helpers.small_video import small
from tests.helpers.symbols import operators, shapes

B, T = 3, 5
CONVS = {
    "joined before": ((3, 3, 3), 4, 6, {}),
    "added up behind": ((3, 1, 1), 8, 4, {}),
    "every second frame": ((1, 3, 3), 4, 6, {"stride": (2, 2, 2)}),
    "strided, joined": ((3, 5, 5), 2, 6, {"stride": (2, 2, 2)}),
    "strided, added up": ((3, 3, 3), 6, 2, {"stride": (3, 1, 1)}),
    "even": ((2, 3, 3), 2, 4, {}),
    "longer than the clip": ((7, 1, 1), 2, 4, {}),
    "dilated": ((3, 3, 3), 6, 4, {"dilation": 2}),
    "groups": ((1, 3, 3), 4, 6, {"groups": 2}),
    "bias": ((1, 1, 1), 4, 6, {"bias": True}),
}


def noise(*shape):
    return mx.nd.array(np.random.RandomState(0).normal(size=shape))


@pytest.mark.parametrize("clips", [False, True])
@pytest.mark.parametrize("count", [1, 2, T])
@pytest.mark.parametrize("case", CONVS)
def test_a_convolution_gives_what_a_three_dimensional_one_gives(case, count, clips):
    kernel, channels, out, options = CONVS[case]
    whole = make_conv("conv", channels, out, kernel, ndim=3, **options)
    row = dataclasses.replace(whole, frames=count, clips=clips)
    plain, folded = convolution(whole), convolution(row)
    x = noise(B, channels, count, 6, 7)
    plain.initialize()
    expected = plain(x)
    assert row.frames_out == expected.shape[2]
    gradient = noise(*expected.shape)
    x.attach_grad()
    with mx.autograd.record():
        y = plain(x)
    y.backward(gradient)
    wanted = [x.grad, plain.weight.grad()]

    folded.initialize()
    for name, param in folded.collect_params().items():
        param.set_data(plain.collect_params()[name].data())
    folded.hybridize()
    given = x.copy() if clips else frames.frames_to_batch(mx.nd, x, count)
    given.attach_grad()
    with mx.autograd.record():
        y = folded(given)
    y.backward(frames.frames_to_batch(mx.nd, gradient, row.frames_out))
    back = given.grad if clips else frames.batch_to_frames(mx.nd, given.grad, count)
    got = [frames.batch_to_frames(mx.nd, y, row.frames_out), back, folded.weight.grad()]
    for a, b in zip(got, [expected, *wanted]):
        assert np.allclose(a.asnumpy(), b.asnumpy(), atol=1e-4), case


def test_clips_are_laid_out_time_major_and_back():
    x = noise(B, 2, T, 3, 4)
    y = frames.frames_to_batch(mx.nd, x, T)
    expected = x.asnumpy().transpose(2, 0, 1, 3, 4).reshape(T * B, 2, 3, 4)
    assert np.array_equal(y.asnumpy(), expected)
    assert np.array_equal(frames.batch_to_frames(mx.nd, y, T).asnumpy(), x.asnumpy())


GLORE = {"kind": "glore", "res3": (1,)}
SPECS = {
    "plain": lambda: small(),
    "all temporal": lambda: small(temporal=(1, 2), stride=(1, 2, 2)),
    "pixels normalised": lambda: dataclasses.replace(
        small(), stem=Stem(8, (3, 5, 5), (1, 2, 2), (1, 3, 3), True)
    ),
    "shared norm": lambda: small(shared_norm=True),
    "attention": lambda: small(squeeze_excite=4),
    "dual paths": lambda: dual_paths().with_units("glore", res3=(1,)),
    "both paths": lambda: dual_paths().with_units("glore", res3=(1,), both_paths=True),
    "pre": lambda: small().with_units("glore", res3=(1,)),
    "normalized": lambda: small().with_units(
        **GLORE, arrangement="post", normalize=True, shared_projection=False
    ),
    "extended first": lambda: small().with_units(
        **GLORE, arrangement="post", extend_first=True, graph_layers=2
    ),
    "extended last": lambda: small().with_units(**GLORE, arrangement="post", extend_first=False),
    "pooled": lambda: small().with_units(
        **GLORE, arrangement="post", pool_stride=2, normalize=True
    ),
    "non-local": lambda: small().with_units("nonlocal", res2=(2,), res3=(1,)),
    "subsampled": lambda: small().with_units("nonlocal", res3=(1,), subsample=2),
}


def dual_paths():
    stages = (
        Stage(2, 16, 1, 8, growth=4, temporal=(1,)),
        Stage(2, 32, 2, 8, growth=4, temporal=(2,)),
    )
    return dataclasses.replace(small(), family="dpn", stages=stages)


def passed(net, x):
    """Outputs in training and evaluation, all gradients and statistics, of a network cast up."""
    net.cast("float64")
    net.hybridize()
    with mx.autograd.record():
        y = net(x)
    y.backward(noise(*y.shape).astype("float64"))
    params = net.collect_params().values()
    numbers = [p.data() if p.grad_req == "null" else p.grad() for p in params]
    return [array.asnumpy() for array in (y, net(x), *numbers)]


@pytest.mark.parametrize("name", SPECS)
def test_a_network_computes_what_it_does_with_an_axis_for_time(name, monkeypatch):
    assert_alike(SPECS[name](), monkeypatch)


def assert_alike(spec, monkeypatch):
    """That a network computes the same where its spec says that time has an axis."""
    spec = dataclasses.replace(spec, input_size=(T, 32, 32))
    assert spec.clip_frames == T and spec.axes == 2
    x = noise(2, 2, T, 32, 32).astype("float64")
    net = Network(spec)
    initialize(net)
    open_gates(net)
    weights = values(net)
    got = passed(net, x)
    with monkeypatch.context() as patch:
        patch.setattr(NetSpec, "clip_frames", 0)
        assert spec.axes == 3
        other = Network(spec)
    set_weights(other.collect_params(), {n: mx.nd.array(a) for n, a in weights.items()}, "itself")
    expected = passed(other, x)
    for a, b in zip(got, expected):
        assert np.allclose(a, b, rtol=1e-6, atol=1e-9 * max(1, np.abs(b).max()))


@dataclasses.dataclass(frozen=True)
class Whole:
    """A unit of someone's own, which knows nothing of time in the batch axis."""

    kind: ClassVar[str] = "whole"
    name: str
    in_channels: int
    mid_channels: int
    ndim: int = 2
    passing: int = 0

    @property
    def out_channels(self):
        return self.in_channels


class WholeBlock(HybridBlock):
    def __init__(self, unit):
        super().__init__(prefix=f"{unit.name}_")

    def hybrid_forward(self, F, x):
        return whole(F, x)


def whole(F, x):
    """x and the mean over all locations of the clip, the first frame twice."""
    first = F.slice_axis(x, axis=2, begin=0, end=1)
    return F.broadcast_add(x, F.mean(x, axis=(2, 3, 4), keepdims=True)) + F.broadcast_like(first, x)


@pytest.mark.parametrize("family", ["resnet", "dual paths"])
def test_a_unit_that_knows_no_frames_is_given_clips(family, monkeypatch):
    monkeypatch.setitem(EXTRA_UNITS, "whole", Whole)
    monkeypatch.setitem(MID_DIVISOR, "whole", 2)
    monkeypatch.setitem(BLOCKS, "whole", WholeBlock)
    monkeypatch.setitem(SPELL, "whole", lambda x, unit: whole(mx.sym, x))
    spec = (small() if family == "resnet" else dual_paths()).with_units("whole", res3=(1,))
    assert_alike(spec, monkeypatch)
    assert operators(spell_network(spec, 5)) == operators(Network(spec)(mx.sym.var("data")))


@pytest.mark.parametrize("name", SPECS)
def test_spelled_and_traced_symbols_have_the_same_operators(name):
    spec = SPECS[name]()
    spelled, traced = spell_network(spec, spec.classes), Network(spec)(mx.sym.var("data"))
    assert operators(spelled) == operators(traced)
    data = (2, spec.in_channels, *spec.input_size)
    assert shapes(spelled, data=data) == shapes(traced, data=data)


@pytest.mark.parametrize(
    "spec",
    [
        small(temporal=None),
        dataclasses.replace(small(), stem=Stem(8, 3, 2, 3)),
        NetSpec(stages=(Stage(1, 16),), input_size=(32, 32)),
    ],
    ids=["kernels of every axis", "a pool over time", "pictures"],
)
def test_other_networks_have_an_axis_for_time(spec):
    assert not spec.clip_frames and spec.axes == spec.ndim
    assert not any(conv.frames for unit in spec.plan() for conv in unit.convs)
