"""What the fields of a file may hold: kinds of values and their ranges, put together to tables.

A file from a stranger has any value in any field. A table says what each may be, and refuses the
rest in a line that names the field, what is allowed and what was given.
"""

import math
import numbers
import re
from dataclasses import dataclass
from typing import Callable

from .errors import InputError, shown


@dataclass(frozen=True)
class Kind:
    """A kind of value: `says` what is allowed, `inner(value, field)` checks what a value holds."""

    says: str
    fits: Callable[[object], bool]
    inner: Callable[[object, str], None] = lambda value, field: None

    def check(self, value, field):
        """Raise InputError, naming the `field`, where a value is not of this kind."""
        if not self.fits(value):
            place = f"{field}: " if field else ""
            raise InputError(f"{place}{self.says}, given {shown(value)}")
        self.inner(value, field)


def _is_whole(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def whole(least=-math.inf, most=math.inf, says="a whole number") -> Kind:
    """Whole numbers from `least` to `most`, or of any size."""
    bounded = (least, most) != (-math.inf, math.inf)
    return Kind(
        f"{says} from {_short(least)} to {_short(most)}" if bounded else says,
        lambda value: _is_whole(value) and least <= value <= most,
    )


def _short(bound):
    return f"{bound:g}" if isinstance(bound, float) or abs(bound) > 2**40 else str(bound)


def number(least=-math.inf, most=math.inf, above=False, says="a number") -> Kind:
    """Finite numbers from `least` to `most`; with `above`, above `least`."""
    low = (
        ""
        if least == -math.inf
        else f" above {_short(least)}"
        if above
        else f" from {_short(least)}"
    )
    high = "" if most == math.inf else f"{', at most' if above else ' to'} {_short(most)}"

    def fits(value):
        if not isinstance(value, numbers.Real) or isinstance(value, bool):
            return False
        try:
            finite = math.isfinite(value)
        except OverflowError:  # a whole number that no float holds
            return False
        return finite and (least < value if above else least <= value) and value <= most

    return Kind(f"{says}{low}{high}" if low or high else f"{says} that is finite", fits)


def text(pattern=r"(?s).*", says="a text") -> Kind:
    """Texts that match a regular expression as a whole, which the words `says` explain."""
    return Kind(says, lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value)))


ANYTHING = Kind("anything", lambda value: True)
FLAG = Kind("true or false", lambda value: isinstance(value, bool))
LINE = text(r"[^\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]{0,1000}", "a line of text")
# A name that is joined to a folder's path must not lead out of it.
FILE_NAME = Kind(
    "a name of at most 200 characters without a slash",
    lambda value: isinstance(value, str)
    and 0 < len(value) <= 200
    and value.isprintable()
    and not {"/", "\\"} & set(value)
    and value not in (".", ".."),
)
DIGEST = text("[0-9a-f]{64}", "a sha256 of 64 digits")


def one_of(*values) -> Kind:
    """Some texts."""
    return Kind(
        f"one of {', '.join(values)}", lambda value: isinstance(value, str) and value in values
    )


def optional(kind) -> Kind:
    """None, or what is of a kind."""

    def inner(value, field):
        if value is not None:
            kind.check(value, field)

    return Kind(kind.says, lambda value: True, inner)


def either(*kinds) -> Kind:
    """What is of one of several kinds."""

    def of(kind, value):
        try:
            kind.check(value, "")
            return True
        except InputError:
            return False

    says = ", or ".join(kind.says for kind in kinds)
    return Kind(says, lambda value: any(of(kind, value) for kind in kinds))


def listed(kind, least=0, most=math.inf) -> Kind:
    """Lists of `least` to `most` values of a kind."""
    count = f"{least} to {most} " if most < math.inf else f"{least} or more " if least else ""
    count = f"{least} " if least == most else count

    def inner(values, field):
        for place, value in enumerate(values):
            kind.check(value, f"{field}[{place}]")

    return Kind(
        f"a list of {count}values, each {kind.says}",
        lambda value: isinstance(value, (list, tuple)) and least <= len(value) <= most,
        inner,
    )


def named(kind, names=LINE) -> Kind:
    """Values of a kind by their names, which are of another."""

    def inner(values, field):
        for name, value in values.items():
            names.check(name, f"a name in {field}")
            kind.check(value, f"{field}.{name}")

    return Kind(f"names and values, each {kind.says}", lambda value: isinstance(value, dict), inner)


def table(fields, optional=(), others=False) -> Kind:
    """Values by their names: `{name: kind}`. All but the `optional` ones must be there.

    With `others`, names that are not known pass, and are not looked at.
    """
    known = ", ".join(fields)

    def inner(values, field):
        prefix = f"{field}." if field else ""
        for name in fields:
            if name not in values and name not in optional:
                raise InputError(f"{prefix}{name}: missing")
        for name, value in values.items():
            if name in fields:
                fields[name].check(value, f"{prefix}{name}")
            elif not others:
                plain = isinstance(name, str) and re.fullmatch(r"[\w.-]{1,60}", name)
                name = name if plain else shown(name)
                raise InputError(f"{prefix}{name}: unknown, known: {known}")

    return Kind(f"the fields {known}", lambda value: isinstance(value, dict), inner)
