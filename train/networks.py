"""The network that a configuration's `model` section names, and what it counts."""

import functools
import typing

from gluon_glore.complexity import count_network, totals
from gluon_glore.errors import InputError
from gluon_glore.network import Network
from gluon_glore.units import EXTRA_UNITS
from gluon_glore.zoo import get_spec

from .config import Model

EXAMPLE = "{kind: glore, res4: [1, 3]}"


def model_spec(model):
    """The spec of `model.name`, with `model.units` added where the section has any.

    Raises InputError where there is no such network, kind, place or option.
    """
    spec, units = get_spec(model.name), model.units
    if not units:
        return spec
    if not isinstance(units, dict) or not isinstance(units.get("kind"), str):
        raise InputError(f"config key model.units needs a kind, as {EXAMPLE}, given {units!r}")
    options = {key: value for key, value in units.items() if key != "kind"}
    places = {key: value for key, value in options.items() if key.startswith("res")}
    for key, value in places.items():
        if not isinstance(value, list) or not all(type(after) is int for after in value):
            raise InputError(f"config key model.units.{key} is a list of numbers, given {value!r}")
    if not any(places.values()):
        raise InputError(f"config key model.units needs places, as {EXAMPLE}, given {units!r}")
    _check_types(units["kind"], options)
    return spec.with_units(units["kind"], **options)


def _check_types(kind, options):
    """Raise InputError where an option that a kind of unit has is of another type."""
    types = typing.get_type_hints(EXTRA_UNITS[kind]) if kind in EXTRA_UNITS else {}
    for key, value in options.items():
        expected = types.get(key)
        if expected in (int, bool, str) and type(value) is not expected:
            raise InputError(
                f"config key model.units.{key} expects {expected.__name__}, given {value!r}"
            )


@functools.lru_cache
def counted(network, classes=None, pixels=None):
    """(parameters, multiply-adds) of a network, by name or as `NetSpec`.

    Classes and input size are its own by default. Raises InputError where there is no such network.
    """
    spec = get_spec(network) if isinstance(network, str) else network
    return totals(count_network(Network(spec, classes), pixels))


def run_spec(config):
    """The spec of the network of a run, by its configuration as `train.runs.read_run` gives it.

    Raises InputError where it can't be made here, as where only who trained it had registered it.
    """
    return model_spec(Model(config["model"]["name"], config["model"].get("units", {})))


def run_size(config):
    """(parameters, multiply-adds) of the network of a run at its input size, as `run_spec`."""
    frames = (config["clip"]["frames"],) if "clip" in config else ()
    pixels = (*frames, *config["data"]["size"])
    return counted(run_spec(config), config["model"].get("classes"), pixels)
