"""The plan alone tells the parameters that the Gluon network has."""

from types import SimpleNamespace

import pytest

from gluon_glore import InputError, Network, get_spec, list_models
from gluon_glore.plan.parameters import parameter_shapes
from tests.helpers.odd_networks import ODD


def assert_those_of_gluon(spec, classes=None):
    expected = {name: p.shape for name, p in Network(spec, classes).collect_params().items()}
    assert list(parameter_shapes(spec, classes).items()) == list(expected.items())


@pytest.mark.parametrize("name", list_models())
def test_names_shapes_and_order_are_those_of_every_registered_network(name):
    assert_those_of_gluon(get_spec(name))


@pytest.mark.parametrize("spec", ODD.values(), ids=ODD)
def test_names_shapes_and_order_are_those_of_every_option(spec):
    assert_those_of_gluon(spec)


@pytest.mark.parametrize("name", ["tiny", "fcn_small_cityscapes"])
def test_a_classifier_is_of_the_classes_given(name):
    assert_those_of_gluon(get_spec(name), classes=7)


def test_without_classes_there_is_no_classifier():
    shapes = parameter_shapes(get_spec("tiny"), classes=0)
    assert not any(name.startswith("classifier") for name in shapes)
    assert_those_of_gluon(get_spec("tiny"), classes=0)


def test_a_unit_of_another_kind_is_refused():
    class Spec(type(get_spec("tiny"))):
        def plan(self):
            yield SimpleNamespace(kind="mine", name="conv2_B01_extra")

    tiny = get_spec("tiny")
    spec = Spec(tiny.stages, tiny.stem, in_channels=1, input_size=(64, 64))
    with pytest.raises(
        InputError, match="kind 'mine' has is not known here, only that of residual"
    ):
        parameter_shapes(spec)
