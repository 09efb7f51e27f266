"""Marks that say what a test does, found in its code: nobody sets them by hand.

`process`: it starts a process. `training`: it runs a trainer. `sweep`: it is one of a walk over
many registered networks, and not over one of the `REPRESENTATIVES`. `slow`: slow.txt has it, which

    python -m tests.helpers.marks REPORT.xml

writes from a report of pytest (`make slow`).

`no_cover` is pytest-cov's: `make test` does not count the lines of such a test, for counting them
costs a quarter of its time. It is set where other tests of the same function are counted: on a
sweep, and on a case of a long table of which each parameter's value has been in an earlier case.
"""

import sys
import types
from collections import Counter, defaultdict
from xml.etree import ElementTree

import pytest

from gluon_glore import list_models
from tests.helpers.places import ROOT

REPRESENTATIVES = {
    "tiny_glore_0_1",
    "resnet18_glore_0_1",
    "se_resnet50_glore_0_3",
    "dpn92_glore_2_3",
    "fcn_small_glore_1_cityscapes",
    "resnet50_3d_glore_2_3_kinetics400",
}
MANY = 12  # networks that one test function walks over: a sweep; cases: a long table
SLOW = ROOT / "tests/slow.txt"
SECONDS = 0.7  # of a test's own, its fixtures aside, that make it slow
OURS = ("tests.", "benchmarks.")  # the code that is followed
STARTS = {("subprocess", name) for name in ("run", "Popen", "check_output")} | {("os", "fork")}
TRAINERS = {
    (f"train.{task}", "main") for task in ("imagenet", "cityscapes", "kinetics", "paper.study")
} | {("train.engine.trainer", "run"), ("train.engine.trainer", "train")}


def mark(items):
    """Mark the collected tests by what they do."""
    slow = {line for line in SLOW.read_text().splitlines() if not line.startswith("#")}
    walked, cases, met = defaultdict(set), Counter(), defaultdict(set)
    for item in items:
        walked[_function_id(item)] |= _networks(item)
        cases[_function_id(item)] += 1
    for item in items:
        used = _used(item)
        networks, function = _networks(item), _function_id(item)
        sweep = len(walked[function]) >= MANY and networks - REPRESENTATIVES
        new = _values(item) - met[function]
        met[function] |= new
        marks = {
            "process": used & STARTS,
            "training": used & TRAINERS,
            "sweep": sweep,
            "slow": item.nodeid in slow,
            "no_cover": sweep or (cases[function] >= MANY and not new),
        }
        for name, holds in marks.items():
            if holds:
                item.add_marker(getattr(pytest.mark, name))


def _function_id(item):
    return item.nodeid.partition("[")[0]


def _values(item):
    """(parameter, place of its value in the test's table) of a case."""
    return set(item.callspec.indices.items()) if hasattr(item, "callspec") else set()


def _networks(item):
    """The registered networks among a test's parameters."""
    values = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return {value for value in values if isinstance(value, str)} & set(list_models())


def _used(item):
    """(module, name) of all that a test and its fixtures reach in modules, through our helpers."""
    fixtures = [
        definition.func
        for definitions in item._fixtureinfo.name2fixturedefs.values()
        for definition in definitions
    ]
    used, seen = set(), set()
    waiting = [item.function, *fixtures]
    while waiting:
        function = waiting.pop()
        function = getattr(function, "__wrapped__", function)
        if not isinstance(function, types.FunctionType) or function in seen:
            continue
        seen.add(function)
        used.add((function.__module__, function.__name__))
        names = set(_names(function.__code__))
        for name in names:
            value = function.__globals__.get(name)
            if isinstance(value, types.ModuleType):
                used |= {(value.__name__, other) for other in names}
                if value.__name__.startswith(OURS):
                    waiting += [vars(value).get(other) for other in names]
            elif isinstance(value, type) and value.__module__.startswith(OURS):
                waiting += [part for part in vars(value).values() if callable(part)]
            elif isinstance(value, types.FunctionType):
                used.add((value.__module__, value.__name__))
                if value.__module__.startswith(OURS):
                    waiting.append(value)
    return used


def _names(code):
    """Every global name and attribute in a function's code, and in functions inside it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def write_slow(report):
    """Write slow.txt from a JUnit report of the tests that no other mark sets aside."""
    slow = []
    for case in ElementTree.parse(report).iter("testcase"):
        if float(case.get("time")) > SECONDS:
            slow.append(f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}")
    header, *_ = SLOW.read_text(encoding="utf-8").splitlines()
    SLOW.write_text("\n".join([header, *sorted(slow)]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_slow(sys.argv[1])
