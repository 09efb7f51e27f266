"""The network that a configuration's `model` section names."""

import typing

from gluon_glore.networks.paper import get_spec
from gluon_glore.plan.extra_units import EXTRA_UNITS
from gluon_glore.utils.errors import InputError, shown

EXAMPLE = "{kind: glore, res4: [1, 3]}"


def model_spec(model):
    """The spec of `model.name`, with `model.units` added where the section has any.

    Raises InputError where there is no such network, kind, place or option.
    """
    return add_units(get_spec(model.name), model.units)


def add_units(spec, units):
    """A spec with the `units` of a `model` section, as it is where they are {}.

    Raises InputError where there is no such kind, place or option.
    """
    if not units:
        return spec
    if not isinstance(units, dict) or not isinstance(units.get("kind"), str):
        raise InputError(f"config key model.units needs a kind, as {EXAMPLE}, given {shown(units)}")
    options = {key: value for key, value in units.items() if key != "kind"}
    places = {key: value for key, value in options.items() if key.startswith("res")}
    for key, value in places.items():
        if not isinstance(value, list) or not all(type(after) is int for after in value):
            raise InputError(
                f"config key model.units.{key} is a list of numbers, given {shown(value)}"
            )
    if not any(places.values()):
        raise InputError(f"config key model.units needs places, as {EXAMPLE}, given {shown(units)}")
    _check_types(units["kind"], options)
    return spec.with_units(units["kind"], **options)


def _check_types(kind, options):
    """Raise InputError where an option that a kind of unit has is of another type."""
    types = typing.get_type_hints(EXTRA_UNITS[kind]) if kind in EXTRA_UNITS else {}
    for key, value in options.items():
        expected = types.get(key)
        if expected in (int, bool, str) and type(value) is not expected:
            raise InputError(
                f"config key model.units.{key} expects {expected.__name__}, given {shown(value)}"
            )
