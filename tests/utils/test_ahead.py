import itertools
import threading
import time

import pytest

from gluon_glore.utils.ahead import Ahead, ordered_map


def test_results_come_in_the_order_of_the_items():
    def slow_for_even(number):
        time.sleep(0.01 * (number % 2 == 0))
        return number * 10

    assert list(ordered_map(slow_for_even, range(12), 3, 6)) == [n * 10 for n in range(12)]
    assert list(ordered_map(slow_for_even, [], 3, 6)) == []


def test_several_threads_work_at_once():
    both = threading.Barrier(2, timeout=10)
    assert len(list(ordered_map(lambda _: both.wait(), range(2), 2, 2))) == 2


@pytest.mark.parametrize("ahead", [1, 3])
def test_no_more_items_are_asked_for_than_may_be_in_hand(ahead):
    asked = []
    work = Ahead(lambda item: item, (asked.append(i) or i for i in itertools.count()), 2, ahead)
    for taken in range(4):
        time.sleep(0.05)
        assert len(asked) == taken + ahead
        assert next(work) == taken
    work.close()


def test_what_the_work_raises_comes_in_its_place():
    results = ordered_map(lambda n: 1 / n, [2, 0, 4], 2, 3)
    assert next(results) == 0.5
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_asking_raises_comes_after_the_items_before():
    def items():
        yield 1
        raise OSError("gone")

    results = ordered_map(str, items(), 2, 3)
    assert next(results) == "1"
    with pytest.raises(OSError, match="gone"):
        next(results)


def test_who_stops_early_waits_for_what_was_begun_and_closes_the_source():
    closed, running = [], []

    def items():
        try:
            yield from itertools.count()
        finally:
            closed.append(True)

    def work(number):
        running.append(number)
        time.sleep(0.05)
        running.remove(number)

    results = ordered_map(work, items(), 2, 4)
    next(results)
    results.close()
    assert not running
    time.sleep(0.05)
    assert closed == [True]


def test_take_gives_what_is_there_and_does_not_wait_for_more():
    more = threading.Event()

    def items():
        yield from (1, 2, 3)
        more.wait(10)
        yield 4

    work = Ahead(lambda item: item, items(), 1, 10)
    time.sleep(0.05)
    assert [future.result() for future in work.take(2)] == [1, 2]
    assert [future.result() for future in work.take(2)] == [3]
    more.set()
    assert [future.result() for future in work.take(2)] == [4]
    assert work.take(2) == work.take(2) == []
