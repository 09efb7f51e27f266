import math

import pytest

from gluon_glore.export.choose_units import choose_float32

UNITS = ("a", "b", "c", "d", "e", "f")
OWN = dict(zip(UNITS, (0.01, 0.4, 0.02, 0.3, 0.0, 0.05)))


class Network:
    """Errors that add up as independent ones do, magnified by `gain` for each unit behind."""

    def __init__(self, gain=1.0, own=OWN):
        self.gain, self.own, self.runs = gain, own, 0

    def __call__(self, float32):
        self.runs += 1
        lowered = [unit for unit in UNITS if unit not in float32]
        error = 0.0
        for unit in UNITS:
            error = math.hypot(error, self.own[unit] if unit in lowered else 0)
            error *= self.gain if unit in lowered else 1
        return error


def test_all_is_lowered_at_once_where_that_is_good_enough():
    network = Network()
    choice = choose_float32(UNITS, network, limit=1)
    assert (choice.float32, network.runs) == ((), 1)
    assert choice.error == network(())


def test_the_worst_stay_and_no_more_than_must():
    choice = choose_float32(UNITS, Network(), limit=0.1)
    assert choice.float32 == ("b", "d")
    assert choice.error == pytest.approx(math.hypot(0.01, 0.02, 0.05))
    assert choice.effects == pytest.approx(OWN)
    assert choose_float32(UNITS, Network(), limit=0.05).float32 == ("b", "d", "f")
    assert choose_float32(UNITS, Network(), limit=0.02).float32 == ("b", "c", "d", "f")


@pytest.mark.parametrize("gain", [1.5, 2.5, 4])
@pytest.mark.parametrize("limit", [0.05, 0.1, 0.3, 0.5])
def test_what_a_network_magnifies_is_found_by_running_it(gain, limit):
    """Units that do little alone do much together: the sum of their squares is far too small."""
    network = Network(gain)
    choice = choose_float32(UNITS, network, limit)
    assert network(choice.float32) == choice.error <= limit
    ranked = sorted(UNITS, key=choice.effects.get, reverse=True)
    fewer = ranked[: len(choice.float32) - 1]
    assert network(fewer) > limit


def test_the_order_is_the_networks():
    assert choose_float32(reversed(UNITS), Network(), limit=0.1).float32 == ("d", "b")


@pytest.mark.parametrize("bad", [math.inf, math.nan, 5.0])
def test_all_stay_where_nothing_can_be_lowered(bad):
    network = Network(own=dict.fromkeys(UNITS, bad))
    choice = choose_float32(UNITS, network, limit=0.1)
    assert (choice.float32, choice.error) == (UNITS, 0.0)


def test_an_infinite_error_is_the_worst():
    own = {**OWN, "e": math.inf}
    assert choose_float32(UNITS, Network(own=own), limit=0.1).float32 == ("b", "d", "e")


@pytest.mark.parametrize(("limit", "float32"), [(0.1, ("b",)), (0.5, ())])
def test_a_single_unit_is_lowered_or_not(limit, float32):
    choice = choose_float32(("b",), lambda kept: 0.0 if kept else 0.4, limit)
    assert choice.float32 == float32


@pytest.mark.parametrize("count", [33, 120, 200])
@pytest.mark.parametrize("bad", [(0,), (3, 4, 90), (7, 30, 31, 32)])
def test_few_bad_units_among_many_are_found_without_running_all_of_them(count, bad):
    units = tuple(range(count))
    bad = tuple(unit for unit in bad if unit < count)
    runs = []

    def error_of(float32):
        runs.append(float32)
        lowered = set(units) - set(float32)
        return math.hypot(*(0.3 if unit in bad else 0.001 for unit in lowered), 0)

    choice = choose_float32(units, error_of, limit=0.1)
    assert choice.float32 == bad
    assert choice.error == pytest.approx(error_of(bad)) and choice.error <= 0.1
    assert len(runs) <= 70
    assert all(choice.effects[unit] == pytest.approx(0.3) for unit in bad)


def test_bad_units_everywhere_are_found_too():
    """One in each group of neighbours: no group can be lowered, and yet most units can."""
    units = tuple(range(128))
    bad = set(units[1::4])

    def error_of(float32):
        return 0.2 * len(bad - set(float32))

    assert set(choose_float32(units, error_of, limit=0.1).float32) == bad


def test_all_of_many_stay_where_nothing_can_be_lowered():
    units = tuple(range(100))
    choice = choose_float32(units, lambda kept: 0.0 if set(kept) == set(units) else 1.0, limit=0.1)
    assert (choice.float32, choice.error) == (units, 0.0)
