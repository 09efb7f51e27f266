"""Packages whose names are imported on first use."""

import importlib
import sys


def lazily(package, home):
    """`__getattr__`, `__dir__` and `__all__` for a package that imports its names on first use.

    `home` maps each name to the module that has it, relative to the `package`.
    """

    def get(name):
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f".{home[name]}", package), name)

    def names():
        return [*vars(sys.modules[package]), *home]

    return get, names, sorted(home)
