"""Weights: files of parameters, in and out of networks.

`parameters` fills networks and saves them, `names` reads what files call them. Their names are
imported on first use: manifests and model cards are read without MXNet.
"""

from ..utils.lazy import lazily

_NAMES = (
    "is_initialized",
    "load_arrays",
    "load_weights",
    "named_arrays",
    "placed_arrays",
    "refuse_unknown",
    "save_arrays",
    "save_weights",
    "set_weights",
)
_HOMES = {
    **dict.fromkeys(_NAMES, "parameters"),
    **dict.fromkeys(("by_name", "plain_names", "with_kinds"), "names"),
    "fit_as_is": "fit",
}
__getattr__, __dir__, __all__ = lazily(__name__, _HOMES)
