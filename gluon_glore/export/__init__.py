"""Exported networks: a folder with a static symbol, parameters, ONNX and a manifest.

`export_model` writes and reads one; its names are imported on first use.
"""

from ..utils.lazy import lazily

_NAMES = ("export_model", "import_model")
__getattr__, __dir__, __all__ = lazily(__name__, dict.fromkeys(_NAMES, "export_model"))
