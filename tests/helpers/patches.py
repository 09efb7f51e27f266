"""A patch that nobody calls proves nothing: the test that made it fails."""

import contextlib
import functools
import types

import pytest


class Patches:
    """pytest's MonkeyPatch, which counts the calls of functions that are put in."""

    def __init__(self, monkeypatch, calls=None):
        self._monkeypatch = monkeypatch
        self._calls = {} if calls is None else calls

    def __getattr__(self, name):
        return getattr(self._monkeypatch, name)

    def setattr(self, target, name, *value, **options):
        """As MonkeyPatch's, (target, name, value) or (dotted name, value)."""
        *place, function = (target, name, *value)
        if isinstance(function, types.FunctionType):
            function = self._counted(function, ".".join(map(_called, place)))
        self._monkeypatch.setattr(*place, function, **options)

    @contextlib.contextmanager
    def context(self):
        """Patches that are taken back at the end of a `with` block."""
        with self._monkeypatch.context() as inner:
            yield Patches(inner, self._calls)

    def uncalled(self):
        """Where functions were put in that nobody called since."""
        return [place for place, calls in self._calls.items() if not calls]

    def _counted(self, function, place):
        self._calls.setdefault(place, 0)

        @functools.wraps(function)
        def counted(*arguments, **options):
            self._calls[place] += 1
            return function(*arguments, **options)

        return counted


def _called(part):
    return part if isinstance(part, str) else getattr(part, "__name__", type(part).__name__)


@pytest.fixture
def monkeypatch(monkeypatch):
    """pytest's, but a function that is put in must be called before the test ends."""
    patches = Patches(monkeypatch)
    yield patches
    uncalled = patches.uncalled()
    assert not uncalled, f"nobody called what was put in for {', '.join(uncalled)}"
