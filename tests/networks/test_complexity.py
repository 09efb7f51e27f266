"""The plan's counts are those of the networks' own graphs: by unit, and operator by operator."""

import dataclasses
from collections import Counter

import pytest

from gluon_glore import InputError, NetSpec, Network, Stage, Stem, as_fcn, get_model, get_spec
from gluon_glore.networks.complexity import count_network
from gluon_glore.plan.complexity import by_unit, count_spec, totals
from tests.helpers.networks import WALKED

STAGES = (Stage(2, 16), Stage(2, 32))
STEM = Stem(8, 3, 1, 3)
CLIPS = NetSpec(
    (
        Stage(2, 16, (1, 1, 1), temporal=(1,)),
        Stage(2, 32, (2, 2, 2), temporal=(1, 2)),
        Stage(1, 16, (2, 2, 2), temporal=(1,), mid_channels=3),
    ),
    Stem(8, (5, 3, 3), (2, 2, 2), (1, 3, 3)),
    squeeze_excite=2,
    input_size=(8, 48, 40),
)
PAIRS = NetSpec(
    (Stage(2, 32, 1, growth=8, groups=2), Stage(2, 64, growth=16)),
    Stem(8, 3, 2, 3),
    family="dpn",
    input_size=(40, 41),
)


def with_both(size, **options):
    spec = NetSpec(STAGES, STEM, input_size=size).with_units("nonlocal", res2=(2,), subsample=3)
    return spec.with_units("glore", res3=(1,), pool_stride=2, **options)


def clips(**changes):
    spec = CLIPS.with_units("glore", res3=(1,), arrangement="post", pool_stride=2)
    spec = spec.with_units("nonlocal", res2=(1,), subsample=2)
    return dataclasses.replace(spec.with_units("glore", res4=(1,), graph_layers=2), **changes)


ODD = {
    "1-D": with_both((70,)),
    "2-D": with_both((37, 53), graph_layers=3, shared_projection=False, arrangement="post"),
    "3-D": with_both((9, 37, 53), arrangement="post"),
    "clips": clips(),
    "clips of more channels than the stem": clips(in_channels=20),
    "shared norm, input norm, no pool": NetSpec(
        STAGES,
        Stem(8, 3, 2, 0, norm_input=True),
        shared_norm=True,
        squeeze_excite=4,
        input_size=(37, 53),
    ).with_units("glore", res3=(2,), shared_projection=False),
    "both paths": PAIRS.with_units("glore", res2=(1,), both_paths=True),
    "the residual path": PAIRS.with_units("nonlocal", res3=(2,)),
    "FCN": as_fcn(
        get_spec("resnet18"), units=2, auxiliary=4, multi_grid=(1, 2), input_size=(65, 97)
    ),
}


def assert_counted(spec, classes=None, size=None):
    judge = count_network(Network(spec, classes), size)
    counts = count_spec(spec, classes, size)
    assert by_unit(spec, counts) == by_unit(spec, judge)
    ours, theirs = (Counter((r.op, r.parameters, r.macs) for r in rows) for rows in (counts, judge))
    assert ours == theirs


@pytest.mark.parametrize("name", WALKED)
def test_every_network_is_counted_as_its_graph_is(name):
    assert_counted(get_spec(name))


@pytest.mark.parametrize("case", ODD)
@pytest.mark.parametrize("classes", [None, 7, 0])
def test_odd_networks_are_counted_as_their_graphs_are(case, classes):
    spec = ODD[case]
    if classes == 0 and spec.head:
        pytest.skip("a network that labels pixels has a classifier")
    assert_counted(spec, classes)


@pytest.mark.parametrize("case", sorted(set(ODD) - {"1-D"}))
def test_another_size_is_counted_as_the_graph_of_it_is(case):
    frames = (16,) * (ODD[case].ndim == 3)
    assert_counted(ODD[case], size=(*frames, 61, 83))


def test_a_size_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="input of 4x4 is too small for the strides of resnet18"):
        count_spec(get_spec("resnet18"), input_size=(4, 4))


def test_parameters_are_those_of_the_block():
    net = get_model("tiny_glore_0_1", classes=2)
    net.initialize()
    expected = sum(p.data().size for p in net.collect_params().values() if "running" not in p.name)
    assert totals(count_network(net))[0] == expected
