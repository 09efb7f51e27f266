"""Where MXNet is not installed, or what runs on it, the tests that take it skip and say why.

A module of tests that imports it, itself or by what it imports, is skipped whole. So is a test that
imports it later, or has a fixture that does. A test that comes to it through the library alone has
the mark `needs_mxnet`: of a function that should need none, the import is a failure.
"""

import importlib.util
import re
from pathlib import Path

import pytest

MISSING = {
    name for name in ("mxnet", "gluoncv", "tensorboardX") if importlib.util.find_spec(name) is None
}
needs_mxnet = pytest.mark.skipif("mxnet" in MISSING, reason="mxnet is not installed")


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector):
    """Skip a module whose import ends where one is missing."""
    report = (yield).get_result()
    if report.failed:
        ended = re.search(
            r"ModuleNotFoundError: No module named '(\w+)'\s*\Z", str(report.longrepr)
        )
        if ended and ended[1] in MISSING:
            _skip(report, collector.path, 0, ended[1])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Skip a test that imports one in a line of its own, or of its helpers."""
    report = (yield).get_result()
    error = call.excinfo and call.excinfo.value
    if isinstance(error, ModuleNotFoundError) and error.name in MISSING:
        importer = Path(call.excinfo.traceback[-1].path)
        if "gluon_glore" not in importer.parts:
            _skip(report, item.path, item.location[1], error.name)


def _skip(report, path, line, name):
    report.outcome = "skipped"
    report.longrepr = (str(path), line, f"Skipped: {name} is not installed")
