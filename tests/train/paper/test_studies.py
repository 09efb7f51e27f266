import dataclasses
import importlib

import pytest

from gluon_glore.networks.complexity import count_network
from gluon_glore.networks.network import Network
from gluon_glore.plan.complexity import totals
from tests.helpers.places import ROOT
from train.config.network import model_spec
from train.config.sections import Model
from train.paper.studies import ABLATIONS, STUDIES, VARIANTS


def spec_of(name):
    variant = VARIANTS[name]
    return model_spec(Model(variant.model, variant.units))


def units_of(name):
    return [unit for unit in spec_of(name).plan() if unit.kind in ("glore", "nonlocal")]


@pytest.mark.parametrize("name", STUDIES)
def test_all_that_is_studied_takes_the_same_and_is_shown(name):
    study = STUDIES[name]
    if study.trainer != "train.inserted_units":  # networks of others have no spec
        specs = [model_spec(Model(v.model, v.units)) for v in study.variants.values()]
        assert len({(spec.input_size, spec.in_channels, spec.classes) for spec in specs}) == 1
    rows = [row for table in study.tables.values() for row in table.rows]
    assert set(rows) == set(study.variants)
    assert all(len(set(table.rows)) == len(table.rows) > 1 for table in study.tables.values())
    assert all(table.reference in table.rows for table in study.tables.values())
    assert study.shown in study.variants and (ROOT / study.config).is_file()
    assert hasattr(importlib.import_module(study.trainer), "main")


def test_plain_non_local_and_glore_cost_the_same():
    plain, *rows = (
        totals(count_network(Network(spec_of(name), 2)))[1] for name in ABLATIONS["kind"].rows
    )
    assert max(rows) / min(rows) < 1.015
    assert min(rows) / plain > 1.1


def test_one_to_five_units_stand_one_more_at_a_time():
    for kind in ("glore", "nonlocal"):
        names = [[unit.name for unit in units_of(f"{kind}_{n}")] for n in range(1, 6)]
        assert [len(row) for row in names] == [1, 2, 3, 4, 5]
        assert all(set(fewer) < set(more) for fewer, more in zip(names, names[1:]))
    assert names[-1][0].startswith("conv3") and names[-1][-1].startswith("conv4")


@pytest.mark.parametrize(
    "table, allowed",
    [
        ("layers", {"graph_layers"}),
        ("reverse", {"shared_projection"}),
        ("arrangement", {"arrangement", "zero_gamma"}),  # which "pre" has none of
    ],
)
def test_the_rows_differ_in_what_the_table_is_of(table, allowed):
    first, *others = (units_of(name)[0] for name in ABLATIONS[table].rows)
    for unit in others:
        fields = (field.name for field in dataclasses.fields(unit))
        assert {f for f in fields if getattr(unit, f) != getattr(first, f)} <= allowed


@pytest.mark.parametrize("table, kind", [("gamma", "glore"), ("gamma_nonlocal", "nonlocal")])
def test_gamma_starts_at_zero_in_the_second_row(table, kind):
    rows = [units_of(name)[0] for name in ABLATIONS[table].rows]
    assert [(unit.kind, unit.zero_gamma) for unit in rows] == [(kind, False), (kind, True)]


def test_a_unit_stands_in_res4_and_in_res3():
    rows = [units_of(name)[0].name for name in ABLATIONS["stage"].rows]
    assert rows == ["conv4_B02_extra", "conv3_B02_extra"]
