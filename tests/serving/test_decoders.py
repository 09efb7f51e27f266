import asyncio
import gc
import threading
import weakref

import pytest

from gluon_glore.serving.decoders import Decoders


class Work:
    """Something that takes a thread until it is opened."""

    def __init__(self):
        self.begun, self.open = threading.Event(), threading.Event()

    def __call__(self, *_):
        self.begun.set()
        assert self.open.wait(30)
        return "done"


def decoding(scenario):
    """Run `scenario(decoders)` with one thread."""

    async def main():
        decoders = Decoders(1)
        try:
            await asyncio.wait_for(scenario(decoders), 30)
        finally:
            decoders.close()

    asyncio.run(main())


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def fail():
    raise ValueError("bad")


def test_what_a_function_returns_or_raises():
    async def scenario(decoders):
        assert await decoders.run(sorted, [2, 1]) == [1, 2]
        with pytest.raises(ValueError, match="bad"):
            await decoders.run(fail)
        assert await asyncio.gather(*[decoders.run(int, i) for i in range(20)]) == list(range(20))
        assert decoders.given_up == 0

    decoding(scenario)


def test_work_that_nobody_waits_for_is_not_begun_nor_kept():
    async def scenario(decoders):
        first, never = Work(), Work()
        running = asyncio.ensure_future(decoders.run(first))
        await until(first.begun.is_set)
        bodies = [type("Body", (), {})() for _ in range(3)]
        kept = [weakref.ref(body) for body in bodies]
        waiting = [asyncio.ensure_future(decoders.run(never, body)) for body in bodies]
        del bodies
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        del waiting, task
        gc.collect()
        assert [body() for body in kept] == [None] * 3
        first.open.set()
        assert await running == "done"
        assert await decoders.run(int) == 0  # it comes after the work that was left
        assert not never.begun.is_set()

    decoding(scenario)


def test_a_thread_that_works_in_vain_is_counted_and_stays_taken():
    async def scenario(decoders):
        work = Work()
        running = asyncio.ensure_future(decoders.run(work))
        await until(work.begun.is_set)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert decoders.given_up == 1
        later = asyncio.ensure_future(decoders.run(int))
        await asyncio.sleep(0.02)
        assert not later.done()
        work.open.set()
        assert await later == 0
        assert decoders.given_up == 0

    decoding(scenario)
