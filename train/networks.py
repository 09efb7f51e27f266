"""The network that a configuration's `model` section names."""

from gluon_glore.errors import InputError
from gluon_glore.registry import get_spec


def model_spec(model):
    """The spec of `model.name`, with `model.units` added where the section has any.

    Raises InputError where there is no such network, kind, place or option.
    """
    spec = get_spec(model.name)
    units = dict(model.units)
    if not units:
        return spec
    kind = units.pop("kind", None)
    if kind is None:
        raise InputError("config key model.units needs a kind, as {kind: glore, res4: [1, 3]}")
    places = {key: value for key, value in units.items() if key.startswith("res")}
    for key, value in places.items():
        if not isinstance(value, list) or not all(type(after) is int for after in value):
            raise InputError(f"config key model.units.{key} is a list of numbers, given {value!r}")
    if not any(places.values()):
        raise InputError("config key model.units needs places, as {kind: glore, res4: [1, 3]}")
    try:
        return spec.with_units(kind, **units)
    except TypeError as error:  # an option of a wrong type
        raise InputError(f"config key model.units: {error}") from None
