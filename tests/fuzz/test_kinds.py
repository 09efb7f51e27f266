"""Of 5,000 damaged inputs of each kind, every one is read or refused in a line."""

import pytest

from gluon_glore import InputError
from tests.fuzz.hunt import Hunter, described
from tests.fuzz.kind import case
from tests.fuzz.kinds import BY_HAND, KINDS, find
from tests.helpers.without_mxnet import needs_mxnet

COUNT = 5000
NEVER_READ = {"other-pictures", "pytorch"}  # the one must not be, the other holds no network


def marked(kinds):
    takes = ("symbol", "release", "archive")  # what reads them takes MXNet
    return [pytest.param(kind, marks=needs_mxnet if kind in takes else ()) for kind in kinds]


@pytest.fixture(scope="module")
def hunter():
    with Hunter() as hunter:
        yield hunter


@pytest.mark.parametrize("kind", marked(KINDS))
def test_damaged_inputs_are_read_or_refused_in_a_line(hunter, kind):
    tally = hunter.run(kind, COUNT)
    assert not tally.bad, "\n".join(described(tally))
    assert tally.cases == len(range(0, COUNT, find(kind).share))
    assert tally.refused > tally.cases / 20  # or nothing was damaged
    assert kind in NEVER_READ or tally.accepted > tally.cases / 50  # or nothing is looked at


@pytest.mark.parametrize("kind", marked(KINDS + BY_HAND))
def test_what_is_damaged_was_valid_and_a_number_is_a_case(kind, tmp_path):
    made = find(kind)
    seeds = list(made.seeds())
    for seed in seeds:
        if kind in NEVER_READ:
            with pytest.raises(InputError):
                made.target(seed, tmp_path)
        else:
            made.target(seed, tmp_path)
    cases = [case(made, kind, seeds, 0, number) for number in range(40)]
    assert cases == [case(made, kind, list(made.seeds()), 0, number) for number in range(40)]
    assert sum(data not in seeds for data in cases) > 30
    assert cases != [case(made, kind, seeds, 1, number) for number in range(40)]
