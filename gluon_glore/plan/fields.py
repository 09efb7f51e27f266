"""A `NetSpec` as plain fields and back, for files that describe a network."""

import dataclasses

from ..utils.errors import InputError
from .head import FCNHead
from .spec import NetSpec
from .stages import Placement, Stage, Stem

LARGEST = 2**20  # number in a file's fields: a spec walks its plan unit by unit to check it


def spec_to_fields(spec):
    """A spec as dictionaries, lists, numbers and strings, without its name and source."""
    fields = _plain(dataclasses.asdict(spec))
    del fields["name"], fields["source"]
    for extra in fields["extras"]:
        extra["options"] = dict(extra["options"])
    return fields


def spec_from_fields(fields, name="", source="") -> NetSpec:
    """The spec that `spec_to_fields` made `fields` of. Raises InputError where they are no spec."""
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
    """`value` with lists in the place of tuples, at any depth."""
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value


def _tuples(value):
    """`value` with tuples in the place of lists, at any depth."""
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
