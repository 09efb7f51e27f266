"""Exported networks: a folder with a static symbol, parameters, ONNX and a manifest.

`exporter` writes them. Its names are imported on first use; no file here is called after one of
them, for Python would then give the file.
"""

from ..utils.lazy import lazily

_NAMES = ("export_model", "import_model")
__getattr__, __dir__, __all__ = lazily(__name__, dict.fromkeys(_NAMES, "exporter"))
