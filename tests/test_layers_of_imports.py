"""Imports go down only: a folder uses those below it in the list, never one above or beside it."""

import ast

from tests.helpers.places import ROOT

# From the top down. A row's folders are twins: neither uses the other.
LIBRARY = (
    ("cli",),
    ("serving", "visualize"),
    ("inference",),
    ("model_zoo",),
    ("export", "convert"),
    ("weights",),
    ("insertion", "pytorch"),
    ("networks",),
    ("layers",),
    ("plan", "data"),
    ("utils",),
)
TRAINERS = (("paper",), ("engine",), ("reporting",), ("data",), ("config",))


def ladder(package, rows):
    """{folder: its floor} of a package; the files directly in it stand on top."""
    floors = {f"{package}.{name}": n for n, row in enumerate(reversed(rows)) for name in row}
    return {package: len(rows), **floors}


FLOORS = {**ladder("gluon_glore", LIBRARY), **ladder("train", TRAINERS)}
MAY_USE = {
    "gluon_glore": {"gluon_glore"},
    "symbols": {"symbols", "gluon_glore"},
    "train": {"train", "gluon_glore"},
    "benchmarks": {"benchmarks", "train", "symbols", "gluon_glore"},
}
FILES = sorted(file for top in MAY_USE for file in (ROOT / top).rglob("*.py"))


def imported(file):
    """Absolute names of the modules that a file imports, wherever in it."""
    package = file.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            name = ".".join([*base, *filter(None, [node.module])])
            # `from .. import net`: each name may be a module of the package.
            yield from (f"{name}.{alias.name}" for alias in node.names)


def folder_of(name):
    """The folder of `FLOORS` that a module belongs to, else its top-level package."""
    parts = name.split(".")
    return ".".join(parts[:2]) if ".".join(parts[:2]) in FLOORS else parts[0]


def wrong(file):
    """The imports of a file that go up, or aside."""
    here = folder_of(".".join(file.relative_to(ROOT).with_suffix("").parts))
    for name in imported(file):
        there = folder_of(name)
        if there.split(".")[0] not in MAY_USE or here == there:
            continue
        if here.split(".")[0] != there.split(".")[0]:
            allowed = there.split(".")[0] in MAY_USE[here.split(".")[0]]
        else:
            allowed = FLOORS.get(there, 0) < FLOORS.get(here, 0)
        if not allowed:
            yield f"{here} -> {name}"


def test_imports_go_down():
    assert not [f"{file.relative_to(ROOT)}: {name}" for file in FILES for name in wrong(file)]


def test_no_test_imports_another():
    tests = (ROOT / "tests").rglob("*.py")
    assert not [
        f"{file.relative_to(ROOT)}: {name}"
        for file in tests
        for name in imported(file)
        if name.startswith("tests.") and ".test_" in name
    ]
