"""Packages that only some of the library needs: the extras of pyproject.toml."""

import importlib

from .errors import InputError


def require(module, extra):
    """Import and return a module. Raises InputError, naming the extra, where it is missing.

    A folder of that name that happens to lie where Python looks is no such module.
    """
    try:
        found = importlib.import_module(module)
    except ImportError:
        found = None
    if getattr(found, "__file__", None) is None:
        raise InputError(f"{module} is not installed: {how_to_install(extra)}")
    return found


def how_to_install(extra):
    """The command that brings an extra, the end of a message."""
    return f"pip install '.[{extra}]' from a checkout of gluon-glore"
