import time

import mxnet as mx
import pytest

from train.reporting.waiting import EVERY, Waiting

PAUSE = 0.05  # seconds


def slow(count):
    for number in range(count):
        time.sleep(PAUSE)
        yield number


def test_all_batches_come_in_order_and_none_twice():
    assert list(Waiting(iter(range(3 * EVERY)))) == list(range(3 * EVERY))
    assert list(Waiting([])) == []


def test_the_time_without_a_batch_is_counted_also_of_those_that_are_not_timed():
    waiting = Waiting(slow(EVERY))
    list(waiting)
    assert EVERY * PAUSE <= waiting.seconds < 3 * EVERY * PAUSE


def test_the_time_between_two_batches_is_not_counted():
    waiting = Waiting(range(4))
    for _ in waiting:
        time.sleep(PAUSE)
    assert waiting.seconds < PAUSE


def test_the_time_in_which_the_network_computes_is_not_counted():
    x = mx.nd.ones((1500, 1500))
    mx.nd.dot(x, x).wait_to_read()
    started = time.perf_counter()
    mx.nd.dot(x, x).wait_to_read()
    products = 1 + int(2 * PAUSE / (time.perf_counter() - started))

    def prefetched():  # each ready PAUSE after the one before was taken
        ready = 0
        for number in range(6):
            time.sleep(max(0, ready - time.perf_counter()))
            ready = time.perf_counter() + PAUSE
            yield number

    waiting = Waiting(prefetched())
    for _ in waiting:
        for _ in range(products):  # 2 * PAUSE, in the background
            mx.nd.dot(x, x)
    assert waiting.seconds < 2 * PAUSE


def test_what_the_loader_raises_comes_through():
    def broken():
        yield 1
        raise KeyError("record")

    with pytest.raises(KeyError, match="record"):
        list(Waiting(broken()))
