import re

import pytest

from gluon_glore.networks.paper import get_spec, list_models
from gluon_glore.networks.registry import register_model
from gluon_glore.utils.errors import InputError


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
    ours = name.startswith(("tiny", "mini", "cifar", "fcn_small"))
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
