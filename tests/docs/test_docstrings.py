"""What ruff does not see in docstrings: the errors that are raised, the shapes of blocks."""

import ast
import re

from tests.helpers.places import ROOT

PACKAGES = ("gluon_glore", "symbols", "train")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def own_nodes(function):
    """All that a function holds, but for what functions and classes within it do."""
    nodes = list(function.body)
    while nodes:
        node = nodes.pop()
        yield node
        if not isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            nodes.extend(ast.iter_child_nodes(node))


def raised(function):
    """The names of what a function's own `raise` statements raise."""
    for node in own_nodes(function):
        if isinstance(node, ast.Raise) and node.exc:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            yield getattr(error, "id", None)


def described(node, name="", of=""):
    """`(name, function, docstring)` of what is public; of `__init__` and others the class's too."""
    for child in node.body:
        path = f"{name}{getattr(child, 'name', '')}"
        if isinstance(child, ast.ClassDef) and not child.name.startswith("_"):
            yield from described(child, f"{path}.", ast.get_docstring(child) or "")
        elif isinstance(child, FUNCTIONS):
            text = ast.get_docstring(child) or ""
            if re.fullmatch("__.*__", child.name):
                yield path, child, f"{of} {text}"
            elif not child.name.startswith("_"):
                yield path, child, text


def silent(source):
    """The public functions of a source that raise InputError and do not say so."""
    return [
        name
        for name, function, text in described(ast.parse(source))
        if "InputError" in raised(function) and not re.search(r"\b[Rr]aises?\b", text)
    ]


def shapeless(source):
    """The `hybrid_forward` of a source that do not give the shapes, `(B, ...) -> (B, ...)`."""
    return [
        name
        for name, _, text in described(ast.parse(source))
        if name.endswith(".hybrid_forward") and not re.search(r"\(B, .*->", text)
    ]


def found_by(rule):
    """`["module: function", ...]` of all modules."""
    return [
        f"{path.relative_to(ROOT)}: {name}"
        for folder in PACKAGES
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in rule(path.read_text(encoding="utf-8"))
    ]


def test_public_functions_that_raise_an_input_error_say_so():
    assert found_by(silent) == []


def test_blocks_give_the_shapes_of_input_and_output():
    assert found_by(shapeless) == []


EXAMPLE = '''
def told():
    """Raises InputError."""
    raise InputError("x")

def untold():
    """Check."""
    if x:
        raise InputError("x") from None

def _private():
    raise InputError("x")

def outer():
    """Make a function."""
    def inner():
        raise InputError("x")
    return inner

class Told(HybridBlock):
    """Raises InputError."""
    def __init__(self):
        raise InputError("x")
    def hybrid_forward(self, F, x):
        """`(B, C) -> (B, N)`."""

class Untold(HybridBlock):
    """A block."""
    def __post_init__(self):
        raise InputError
    def hybrid_forward(self, F, x):
        """Run."""
'''


def test_silent_functions_are_found_and_no_others():
    assert silent(EXAMPLE) == ["untold", "Untold.__post_init__"]
    assert shapeless(EXAMPLE) == ["Untold.hybrid_forward"]
