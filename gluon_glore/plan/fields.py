"""A `NetSpec` as plain fields and back, for the files that carry a network of their own."""

import dataclasses

from ..utils.errors import InputError
from .head import FCNHead
from .spec import NetSpec
from .stages import Placement, Stage, Stem

LARGEST = 2**20  # of any number in it: a plan is walked unit by unit when it is built


def spec_to_fields(spec):
    """The spec as dictionaries, lists, numbers and strings, without its name and source."""
    fields = _plain(dataclasses.asdict(spec))
    del fields["name"], fields["source"]
    for extra in fields["extras"]:
        extra["options"] = dict(extra["options"])
    return fields


def spec_from_fields(fields, name="", source="") -> NetSpec:
    """The spec of `spec_to_fields`. Raises InputError where the fields are not one's."""
    try:
        fields = {key: _tuples(value) for key, value in fields.items()}
        _check_size(fields)
        fields["stem"] = Stem(**fields["stem"])
        fields["stages"] = tuple(Stage(**stage) for stage in fields["stages"])
        fields["extras"] = tuple(
            Placement(**{**extra, "options": tuple(sorted(extra["options"].items()))})
            for extra in fields["extras"]
        )
        if fields.get("head") is not None:
            fields["head"] = FCNHead(**fields["head"])
        return NetSpec(**fields, name=name, source=source)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        reason = error if isinstance(error, InputError) else "damaged"
        raise InputError(f"the network's description can't be used: {reason}") from None


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _tuples(value):
    if isinstance(value, dict):
        return {key: _tuples(v) for key, v in value.items()}
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _check_size(value):
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, tuple):
        for part in value:
            _check_size(part)
    elif isinstance(value, (int, float)) and not 0 <= value <= LARGEST:
        raise InputError(f"numbers go from 0 to {LARGEST}, given {value}")
