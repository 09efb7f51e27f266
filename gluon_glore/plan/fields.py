"""A `NetSpec` as plain fields and back, for files that describe a network."""

import dataclasses
import typing

from ..utils import kinds
from ..utils.errors import InputError
from .extra_units import EXTRA_UNITS
from .head import FCNHead
from .spec import NetSpec
from .stages import Placement, Stage, Stem

LARGEST = 2**20  # number in a file's fields
_NUMBERS = {
    int: kinds.whole(0, LARGEST, "whole numbers go"),
    float: kinds.number(0, LARGEST, says="numbers go"),
    bool: kinds.FLAG,
    str: kinds.LINE,
}


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
        _SPEC.check(fields, "network")
    except InputError as error:
        raise InputError(f"the network's description can't be used: damaged, {error}") from None
    try:
        fields = {key: _tuples(value) for key, value in fields.items()}
        fields["stem"] = Stem(**fields["stem"])
        fields["stages"] = tuple(Stage(**stage) for stage in fields["stages"])
        fields["extras"] = tuple(
            Placement(**{**extra, "options": tuple(sorted(extra["options"].items()))})
            for extra in fields["extras"]
        )
        if fields.get("head") is not None:
            fields["head"] = FCNHead(**fields["head"])
        return NetSpec(**fields, name=name, source=source)
    except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
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


def _kind_of(hint):
    """The `Kind` of a field's annotation."""
    of = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return kinds.listed(_kind_of(of[0]))
    if typing.get_origin(hint) is typing.Union:
        some = [_kind_of(one) for one in of if one is not type(None)]
        kind = kinds.either(*some) if len(some) > 1 else some[0]
        return kind if len(some) == len(of) else kinds.optional(kind)
    return _NUMBERS[hint] if hint in _NUMBERS else _table_of(hint)


def _table_of(row, without=(), needed=(), **own):
    """The `Kind` of a dataclass's fields, but for those `without`; `own` are kinds of some.

    Fields that have a default may be missing, unless they are `needed`.
    """
    hints = typing.get_type_hints(row)
    rows = [field for field in dataclasses.fields(row) if field.name not in without]
    needless = [f.name for f in rows if f.default is not dataclasses.MISSING]
    needless = [name for name in needless if name not in needed]
    found = {f.name: own[f.name] if f.name in own else _kind_of(hints[f.name]) for f in rows}
    return kinds.table(found, optional=needless)


def _options():
    """The `Kind` of an extra unit's options."""
    own = ("name", "in_channels", "ndim", "passing", "residual", "eps", "momentum")  # the plan's
    hints = {"both_paths": bool}
    for row in EXTRA_UNITS.values():
        hints.update(typing.get_type_hints(row))
    known = {
        name: _kind_of(hint) for name, hint in hints.items() if hint in _NUMBERS and name not in own
    }
    return kinds.table(known, optional=known)


_SPEC = _table_of(
    NetSpec,
    without=("name", "source"),
    needed=("stem", "extras"),
    extras=kinds.listed(_table_of(Placement, needed=["options"], options=_options())),
)
