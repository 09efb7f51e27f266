"""Exported networks: a folder with a static symbol, parameters, ONNX and a manifest.

`folder` writes and reads one; its names are imported on first use.
"""

from ..lazy import lazily

_NAMES = ("export_model", "import_model", "is_export")
__getattr__, __dir__, __all__ = lazily(__name__, dict.fromkeys(_NAMES, "folder"))
