"""Weights: files of parameters, in and out of networks.

`parameters` fills networks and saves them.
"""

from .parameters import (
    fit_as_is,
    is_initialized,
    load_arrays,
    load_weights,
    named_arrays,
    plain_names,
    save_arrays,
    save_weights,
    set_weights,
    with_kinds,
)

__all__ = [
    "fit_as_is",
    "is_initialized",
    "load_arrays",
    "load_weights",
    "named_arrays",
    "plain_names",
    "save_arrays",
    "save_weights",
    "set_weights",
    "with_kinds",
]
