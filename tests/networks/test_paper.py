import dataclasses
import re

import pytest

from gluon_glore.networks.paper import get_spec, list_models
from gluon_glore.networks.registry import register_model
from gluon_glore.utils.errors import InputError
from tests.helpers.networks import ALIKE, WALKED


def test_list_models_filters_by_pattern():
    assert "resnet50_glore_2_3" in list_models()
    small = ["tiny", "tiny_3d", "tiny_3d_glore_0_1", "tiny_3d_nl_0_1"]
    assert list_models("tiny*") == [*small, "tiny_glore_0_1", "tiny_nl_0_1"]
    assert list_models("nothing*") == []


def test_unknown_names_are_refused_with_the_closest():
    with pytest.raises(
        InputError, match=r"unknown network 'resnet50_glor_2_3'.*resnet50_glore_2_3"
    ):
        get_spec("resnet50_glor_2_3")


def test_duplicate_names_are_refused():
    def tiny():
        """A second one."""

    with pytest.raises(InputError, match="'tiny' is registered already"):
        register_model(tiny)


@pytest.mark.parametrize("name", list_models())
def test_names_count_the_units_of_res3_and_res4_and_rows_say_their_source(name):
    spec = get_spec(name)
    assert spec.name == name
    assert spec.source
    counted = {}
    for extra in spec.extras:
        kind = {"glore": "glore", "nonlocal": "nl"}[extra.kind]
        counted.setdefault(kind, {3: 0, 4: 0})[extra.stage] += 1
    named = re.search(r"_(glore|nl)_(\d)_(\d)", name)
    expected = {named[1]: {3: int(named[2]), 4: int(named[3])}} if named else {}
    assert counted == expected


def momentum(name):
    """The authors' ResNets have 0.92; their dual-path networks, and all our own, 0.9."""
    ours = name.startswith(("tiny", "mini", "cifar", "fcn_small", "fcn_mini", "fcn_tiny"))
    return 0.9 if ours or name.startswith("dpn") else 0.92


@pytest.mark.parametrize("name", list_models())
def test_batchnorms_momentum_is_that_of_the_family(name):
    spec = get_spec(name)
    units = [*spec.plan(), *spec.head_plan()]
    assert {spec.momentum, *(unit.momentum for unit in units)} == {momentum(name)}


@pytest.mark.parametrize(
    ("name", "res3", "res4"),
    [
        ("resnet50_glore_2_3", [1, 3], [1, 3, 5]),
        ("resnet50_glore_1_0", [2], []),
        ("resnet50_glore_0_1", [], [3]),
        ("resnet50_glore_0_5", [], [1, 2, 3, 4, 5]),
        ("resnet101_glore_2_3", [1, 3], [6, 12, 18]),
        ("resnet200_glore_2_3", [12, 18], [16, 24, 32]),
        ("resnet50_glore_1_3", [2], [1, 3, 5]),
        ("resnet50_glore_0_1_g2", [], [3]),
        ("resnet50_glore_0_1_g3", [], [3]),
        ("resnet18_glore_0_1", [], [1]),
        ("resnext101_32x4d_glore_2_3", [1, 3], [6, 12, 18]),
        ("se_resnet50_glore_0_3", [], [1, 3, 5]),
        ("dpn98_glore_2_3", [2, 4], [5, 10, 15]),
        ("dpn131_glore_2_3", [4, 7], [7, 14, 21]),
        ("resnet50_nl_1_0", [2], []),
        ("resnet50_nl_0_1", [], [3]),
        ("resnet50_3d_kinetics400", [], []),
        ("resnet50_3d_glore_2_3_kinetics400", [1, 3], [1, 3, 5]),
        ("resnet50_3d_nl_2_3_kinetics400", [1, 3], [1, 3, 5]),
        ("resnet101_3d_kinetics400", [], []),
        ("resnet101_3d_glore_2_3_kinetics400", [1, 3], [6, 12, 18]),
        ("resnet101_3d_nl_2_3_kinetics400", [1, 3], [6, 12, 18]),
    ],
)
def test_placements_are_those_of_the_design_table(name, res3, res4):
    extras = get_spec(name).extras
    assert [e.after for e in extras if e.stage == 3] == res3
    assert [e.after for e in extras if e.stage == 4] == res4


@pytest.mark.parametrize("plain", ["resnet50", "se_resnet50"])
@pytest.mark.parametrize(("short", "kind"), [("glore", "glore"), ("nl", "nonlocal")])
def test_section_4_2_has_every_placement_of_both_kinds_with_no_gamma_at_zero(plain, short, kind):
    """Its "R50+Ours(n, m)" and SE-R50 likewise; no zero gamma, by footnote 5."""
    for res3, res4 in ((1, 0), (0, 1), (1, 3), (0, 3), (0, 5), (2, 3)):
        spec = get_spec(f"{plain}_{short}_{res3}_{res4}")
        assert dataclasses.replace(spec, extras=(), name="", source="") == dataclasses.replace(
            get_spec(plain), name="", source=""
        )
        glore = get_spec(f"resnet50_glore_{res3}_{res4}")
        assert [(e.stage, e.after) for e in spec.extras] == [
            (e.stage, e.after) for e in glore.extras
        ]
        units = [unit for unit in spec.plan() if unit.kind == kind]
        assert len(units) == res3 + res4
        # A pre-activation unit has no BatchNorm behind it whose gamma could be zero.
        assert all(getattr(u, "arrangement", "") == "pre" or not u.zero_gamma for u in units)
        assert re.search(r"paper, (section 4\.2|Table [12])", spec.source)


def test_gammas_start_at_zero_where_the_ablations_of_imagenet_are_not():
    for name in ("resnet50_3d_nl_2_3_kinetics400", "resnet101_3d_nl_2_3_kinetics400"):
        units = [unit for unit in get_spec(name).plan() if unit.kind == "nonlocal"]
        assert len(units) == 5 and all(unit.zero_gamma for unit in units)


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_table_1_varies_the_graph_layers_of_one_unit(layers):
    name = "resnet50_glore_0_1" + (f"_g{layers}" if layers > 1 else "")
    (unit,) = (unit for unit in get_spec(name).plan() if unit.kind == "glore")
    assert unit.graph_layers == len(unit.graph) == layers
    assert f"paper, Table 1, g = {layers}" in get_spec(name).source


def test_the_visualised_network_has_128_nodes():
    (unit,) = (u for u in get_spec("resnet18_glore_0_1").plan() if u.kind == "glore")
    assert (unit.name, unit.nodes, unit.states) == ("conv4_B01_extra", 128, 256)
    assert get_spec("resnet18").stages[2].blocks == 2  # its middle is behind the first


@pytest.mark.parametrize("name", sorted(ALIKE))
def test_what_long_walks_leave_out_is_of_parts_that_they_see(name):
    def parts(name):
        """The network without units; stage, kind and options of each, without their place."""
        spec = get_spec(name)
        plain = dataclasses.replace(spec, extras=(), name="", source="")
        return plain, {(e.stage, e.kind, e.options) for e in spec.extras}

    plain, units = parts(name)
    if name == "resnet50_glore_0_1_g2":  # one with three graph layers has its two
        assert units == {(4, "glore", (("graph_layers", 2),))}
        units = {(4, "glore", (("graph_layers", 3),))}
    backbones, others = zip(*(parts(other) for other in WALKED if "resnet50_" in other))
    assert plain in backbones and units <= set().union(*others)
