"""The kinds, by name; each is made by a module that is imported where one of its kinds is run."""

import importlib

from .kind import Kind

# Module of `tests.fuzz`: the kinds in its ROWS.
MODULES = {
    "pictures": ("jpeg", "png", "webp", "bmp", "tiff", "gif", "other-pictures", "stream"),
    "texts": ("manifest", "config", "catalogue", "class-names"),
    "weights": ("parameters", "golden", "records", "checkpoint", "run"),
    "graphs": ("symbol", "release"),
    "archives": ("archive", "pytorch"),
    "planted": ("planted", "planted-kept"),
}
KINDS = tuple(kind for module, kinds in MODULES.items() for kind in kinds if module != "planted")


def find(name) -> Kind:
    """The kind of a name."""
    module = next(module for module, kinds in MODULES.items() if name in kinds)
    return importlib.import_module(f"tests.fuzz.{module}").ROWS[name]
