"""Counts of a spec; tests/networks/test_complexity.py holds them to the networks' own graphs."""

import dataclasses

import numpy as np
import pytest

from gluon_glore import InputError, NetSpec, Stage, Stem, get_spec
from gluon_glore.plan.complexity import (
    UNITS,
    OperatorCount,
    StageCount,
    by_stage,
    by_unit,
    count_spec,
    totals,
)
from tests.helpers.networks import WALKED
from tests.helpers.tables import OFF, TABLE_2, TABLE_5

PRINTED = {
    (name, quantity): printed
    for name, row in TABLE_2.items()
    for quantity, printed in zip(("parameters", "gflops"), row)
}
PRINTED.update({(name, "gflops"): printed for name, printed in TABLE_5.items()})


def table_rows():
    for (name, quantity), printed in PRINTED.items():
        marks = []
        if (name, quantity) in OFF:
            counted, reason = OFF[name, quantity]
            reason = f"table {printed}, counted {counted}: {reason}"
            marks = pytest.mark.xfail(strict=True, reason=reason)
        yield pytest.param(name, quantity, printed, marks=marks)


def counted(name, quantity):
    parameters, macs = totals(count_spec(get_spec(name)))
    return parameters / 1e6 if quantity == "parameters" else macs / 1e9


@pytest.mark.parametrize(("name", "quantity", "printed"), table_rows())
def test_networks_have_the_parameters_and_gflops_of_the_papers_tables(name, quantity, printed):
    assert round(counted(name, quantity), 1) == printed


@pytest.mark.parametrize(("name", "quantity"), OFF)
def test_rows_that_are_off_are_off_by_what_is_said(name, quantity):
    assert round(counted(name, quantity), 2) == OFF[name, quantity][0]


@pytest.mark.parametrize(
    ("name", "gflops"), [("resnet50_3d_kinetics400", 25.28), ("resnet101_3d_kinetics400", 43.83)]
)
def test_the_plain_video_networks_have_the_gflops_that_the_reasons_name(name, gflops):
    assert round(counted(name, "gflops"), 2) == gflops


def test_a_units_multiply_adds_by_hand():
    spec = get_spec("resnet50_glore_2_3")
    counts = count_spec(spec)
    units = by_unit(spec, counts)
    channels, nodes, states, locations = 512, 128, 256, 28 * 28
    expected = (
        channels * (states + nodes) * locations  # state and projection
        + 2 * states * nodes * locations  # onto the nodes and back
        + nodes * nodes * states  # adjacency
        + states * states * nodes  # state update
        + states * channels * locations  # extension
    )
    assert units["conv3_B01_extra"][1] == expected
    assert sum(macs for _, macs in units.values()) == totals(counts)[1]
    assert units["stem"][1] == 64 * 3 * 49 * 112 * 112
    assert units["head"][0] == 2 * 2048 + 2048 * 1000 + 1000


def stages_of(spec, classes=None):
    return by_stage(spec, count_spec(spec, classes))


@pytest.mark.parametrize("name", WALKED)
def test_stages_and_units_sum_to_the_network(name):
    spec = get_spec(name)
    counts = count_spec(spec)
    rows = by_stage(spec, counts)
    assert [row.stage for row in rows] == [
        "stem",
        *(f"Res{number}" for number in range(2, 2 + len(spec.stages))),
        "head",
    ]
    expected = totals(counts)
    assert (sum(row.parameters for row in rows), sum(row.macs for row in rows)) == expected
    units = by_unit(spec, counts).values()
    assert tuple(map(sum, zip(*units))) == expected

    stem, head = rows[0], rows[-1]
    conv, width = counts[0], spec.feature_channels
    assert conv.op == "Convolution"
    assert stem == ("stem", conv.parameters + 2 * spec.stem.channels, conv.macs, 0, 0)
    if spec.head:
        mid, locations = spec.head.channels, spec.locations(5)
        convs = 9 * mid * (width + mid)
        macs = (convs + mid * spec.classes) * locations
        without = (convs + 2 * width + 4 * mid + (mid + 1) * spec.classes, macs)
    else:
        without = (2 * width + (width + 1) * spec.classes, width * spec.classes)
    assert tuple(np.subtract(head[1:3], head[3:])) == without

    # Without its extra units each stage is that of the plain network.
    plain = spec.head and dataclasses.replace(spec.head, units=0)
    plain = stages_of(dataclasses.replace(spec, extras=(), head=plain))
    for row, without in zip(rows, plain):
        extra = row.extra_parameters, row.extra_macs
        assert (row.parameters - extra[0], row.macs - extra[1]) == without[1:3]
        assert without[3:] == (0, 0)
        has_units = row.stage in {f"Res{extra.stage}" for extra in spec.extras}
        has_units |= row.stage == "head" and bool(spec.head and spec.head.units)
        assert (min(extra) > 0) == has_units and (max(extra) > 0) == has_units


def test_res3_of_resnet50_by_hand():
    before, inside, out, locations = 256, 128, 512, 28 * 28
    middle, last, shortcut = 9 * inside * inside, inside * out, before * out
    later = out * inside + middle + last  # the three convolutions of a unit behind the first
    plain = StageCount(
        "Res3",
        before * inside + middle + last + shortcut
        + 2 * (before + inside + inside + before)  # BatchNorm before each of the four
        + 3 * (later + 2 * (out + inside + inside)),
        before * inside * 4 * locations  # the stride is on the 3x3
        + (middle + last + shortcut) * locations
        + 3 * later * locations,
    )  # fmt: skip
    assert stages_of(get_spec("resnet50"))[2] == plain

    nodes, states = 128, 256
    convolutions = out * (states + nodes) + nodes * nodes + states * states + states * out
    parameters = convolutions + 2 * (out + out + nodes + states + states)
    macs = (
        out * (states + nodes) * locations  # state and projection
        + 2 * states * nodes * locations  # onto the nodes and back
        + nodes * nodes * states  # adjacency
        + states * states * nodes  # state update
        + states * out * locations  # extension
    )
    expected = StageCount(
        "Res3",
        plain.parameters + 2 * parameters,
        plain.macs + 2 * macs,
        2 * parameters,
        2 * macs,
    )
    assert stages_of(get_spec("resnet50_glore_2_3"))[2] == expected


def test_the_stem_of_a_dual_path_network_by_hand():
    stem = stages_of(get_spec("dpn98"))[0]
    assert stem == ("stem", 96 * 3 * 49 + 2 * 96, 96 * 3 * 49 * 112 * 112, 0, 0)


def test_a_three_dimensional_network_by_hand():
    spec = NetSpec(
        stages=(Stage(1, 8, 2),),
        stem=Stem(channels=4, kernel=3, stride=1, pool=False),
        bottleneck=False,
        in_channels=1,
        input_size=(4, 6, 8),
    )
    spec = spec.with_units("nonlocal", res2=(1,), mid_channels=2)
    pixels, locations = 4 * 6 * 8, 2 * 3 * 4
    unit = (4 * 8 * 2 + 3 * 2 + 2 * 8, 4 * 8 * 2 * locations + 2 * 2 * locations * locations)
    convolutions = 4 * 8 * 27 + 8 * 8 * 27 + 4 * 8
    assert stages_of(spec, classes=5) == [
        ("stem", 4 * 27 + 2 * 4, 4 * 27 * pixels, 0, 0),
        (
            "Res2",
            convolutions + 2 * (4 + 8 + 4) + unit[0],
            convolutions * locations + unit[1],
            *unit,
        ),
        ("head", 2 * 8 + 8 * 5 + 5, 8 * 5, 0, 0),
    ]


def test_operators_of_no_unit_are_refused():
    with pytest.raises(InputError, match="operator conv2_B02_x is of no unit of tiny"):
        by_unit(get_spec("tiny"), [OperatorCount("conv2_B02_x", "Convolution", 1, 1)])


def test_units_that_nothing_counts_are_refused(monkeypatch):
    monkeypatch.delitem(UNITS, "glore")
    with pytest.raises(InputError, match="conv4_B01_extra: nothing says how units of kind 'glore'"):
        count_spec(get_spec("tiny_glore_0_1"))
