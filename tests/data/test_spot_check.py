import pytest

from gluon_glore import InputError
from gluon_glore.data.records import BadRecord
from gluon_glore.data.spot_check import spot_check


class Numbers:
    """A data set of so many samples."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def name(self, i):
        return f"number {i}"


def test_samples_are_spread_from_the_first_to_the_last():
    tried = []
    spot_check(Numbers(240_000), tried.append, 0.0, "number")
    assert len(tried) == 20 and tried[0] == 0 and tried[-1] == 239_999
    assert max(b - a for a, b in zip(tried, tried[1:])) < 12_700
    tried.clear()
    spot_check(Numbers(3), tried.append, 0.0, "number")
    assert tried == [0, 1, 2]
    assert {type(index) for index in tried} == {int}


def test_bad_ones_are_named_once_whoever_names_them():
    def unnamed(_):
        raise InputError("cut")

    def named(i):
        raise BadRecord(f"file {i}: cut")

    for attempt, name in ((unnamed, "number 0"), (named, "file 0")):
        with pytest.raises(InputError, match=f"^5 of 5 numbers tried are bad, as {name}: cut$"):
            spot_check(Numbers(5), attempt, 0.5, "number")


def test_other_errors_are_not_taken_for_bad_samples():
    with pytest.raises(ZeroDivisionError):
        spot_check(Numbers(5), lambda i: 1 / i, 0.9, "number")
