"""Weights: files of parameters, in and out of networks.

`parameters` fills networks and saves them, `names` reads what files call them. Their names are
imported on first use: manifests and model cards are read without MXNet.
"""

from ..utils.lazy import lazily

_NAMES = (
    "fit_as_is",
    "is_initialized",
    "load_arrays",
    "load_weights",
    "named_arrays",
    "placed_arrays",
    "refuse_unknown",
    "save_arrays",
    "save_weights",
    "set_weights",
    "with_kinds",
)
_HOMES = {**dict.fromkeys(_NAMES, "parameters"), "by_name": "names", "plain_names": "names"}
__getattr__, __dir__, __all__ = lazily(__name__, _HOMES)
