"""The kinds, by name; each is made by a module that is imported where one of its kinds is run."""

import importlib

from .kind import Kind

# Module of `tests.fuzz`: the kinds in its ROWS.
MODULES = {
    "pictures": ("jpeg", "png", "label", "webp", "bmp", "tiff", "gif", "other-pictures", "stream"),
    "texts": ("manifest", "config", "catalogue", "class-names", "scene-classes"),
    "lists": ("list",),
    "forms": ("form",),
    "inference_requests": ("inference-request",),
    "arrays": ("npy", "json-array"),
    "weights": ("parameters", "safetensors", "golden", "records", "checkpoint", "run"),
    "graphs": ("symbol", "release"),
    "archives": ("archive", "pytorch"),
    "exports": ("mxnet", "onnxruntime", "openvino"),
    "programs": ("program",),
    "videos": ("video",),
    "symbol_pairs": ("description", "symbol-pair"),
    "planted": ("planted", "planted-kept"),
}
# What other projects read in native code may end the process: that is run by hand, and told.
BY_HAND = (*MODULES["exports"], *MODULES["programs"], "symbol-pair", "video")
KINDS = tuple(kind for module, kinds in MODULES.items() for kind in kinds)
KINDS = tuple(kind for kind in KINDS if kind not in (*BY_HAND, *MODULES["planted"]))


def find(name) -> Kind:
    """The kind of a name."""
    module = next(module for module, kinds in MODULES.items() if name in kinds)
    return importlib.import_module(f"tests.fuzz.{module}").ROWS[name]
