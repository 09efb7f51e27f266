"""The registry of network specs by name.

`paper.py` and `small.py` register the rows of this package, users their own.
"""

import dataclasses
import difflib
import fnmatch
import functools
import inspect
import re

from ..plan.fields import spec_to_fields
from ..plan.spec import NetSpec
from ..utils.errors import InputError

_ROWS = {}
_LISTENERS = []


def register_model(row):
    """Register a function `() -> NetSpec` under its own name; its docstring is the row's source.

    Raises InputError where the name is taken or the docstring is missing.
    """
    name = row.__name__
    if name in _ROWS:
        raise InputError(f"network {name!r} is registered already")
    if not row.__doc__:
        raise InputError(f"network {name!r} needs a docstring saying where it is from")
    _ROWS[name] = row
    for listener in _LISTENERS:
        listener(name)
    return row


def on_register(listener):
    """Call `listener(name)` for every network: for those registered now, and for each later one."""
    for name in _ROWS:
        listener(name)
    _LISTENERS.append(listener)


def list_models(pattern="*"):
    """Sorted names of the registered networks that match the shell pattern, as "resnet50*"."""
    return sorted(fnmatch.filter(_ROWS, pattern))


def check_name(name, allowed=r"[\w.-]+"):
    """Raise InputError where a network's name is unfit for a file or folder.

    `allowed` is the regular expression that it must match.
    """
    if not re.fullmatch(allowed, name):
        raise InputError(f"a network's name has letters, digits, '_', '-' and '.', given {name!r}")


def unregistered(spec, name):
    """The spec that a file about network `name` must hold: None where it is this package's row.

    Files hold any other: a reader who had the name alone would build another network, or none where
    the module that registers a user's row is not imported.
    """
    own = name in _ROWS and _ROWS[name].__module__.startswith(f"{__package__}.")
    if own and spec_to_fields(get_spec(name)) == spec_to_fields(spec):
        return None
    return spec


def get_spec(name) -> NetSpec:
    """The spec of a registered network. Raises InputError naming the closest names."""
    if name not in _ROWS:
        close = difflib.get_close_matches(str(name), _ROWS, n=3, cutoff=0.4)
        hint = f"closest: {', '.join(close)}" if close else f"known: {', '.join(list_models())}"
        raise InputError(f"unknown network {name!r}, {hint}")
    return _spec_of(name, _ROWS[name])


@functools.cache
def _spec_of(name, row):
    """The spec of a row, made once: it never changes, and checks its whole plan when it is made."""
    return dataclasses.replace(row(), name=name, source=inspect.cleandoc(row.__doc__))
