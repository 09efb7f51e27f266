import asyncio
import threading

import numpy as np
import pytest

from gluon_glore.serving.batcher import Batcher


class Gate:
    """A `run` that waits until it is opened, and remembers its batches."""

    def __init__(self):
        self.open, self.batches = threading.Event(), []

    def __call__(self, batch):
        assert self.open.wait(30)
        self.batches.append(batch)
        if "bad" in batch:
            raise ValueError("bad batch")
        return [x * 10 for x in batch]


def batched(scenario, size=4, wait=0.0, room=None, gate=None):
    """Run `scenario(batcher, gate)`. Returns (the batches, the sizes observed)."""
    gate, sizes = gate or Gate(), []

    async def main():
        batcher = Batcher(gate, size, wait, sizes.append, room)
        try:
            await asyncio.wait_for(scenario(batcher, gate), 30)
        finally:
            gate.open.set()
            await batcher.close()

    asyncio.run(main())
    return gate.batches, sizes


async def submitted(batcher, *items):
    """Tasks for the items, all of them waiting."""
    tasks = [asyncio.ensure_future(batcher.submit(x)) for x in items]
    await asyncio.sleep(0)
    return tasks


async def until(condition):
    while not condition():
        await asyncio.sleep(0.001)


def test_what_waits_meanwhile_is_one_batch_in_order():
    async def scenario(batcher, gate):
        first = await submitted(batcher, 0)
        await until(lambda: batcher.busy_seconds)
        rest = await submitted(batcher, *range(1, 10))
        assert len(batcher) == 9
        gate.open.set()
        assert await asyncio.gather(*first, *rest) == [x * 10 for x in range(10)]
        assert len(batcher) == 0 and batcher.busy_seconds == 0

    assert batched(scenario) == ([[0], [1, 2, 3, 4], [5, 6, 7, 8], [9]], [1, 4, 4, 1])


def test_a_batch_waits_for_more_but_not_when_it_is_full():
    async def scenario(batcher, gate):
        gate.open.set()
        first = await submitted(batcher, 1)
        await asyncio.sleep(0.01)
        assert await asyncio.gather(*first, *await submitted(batcher, 2, 3)) == [10, 20, 30]

    assert batched(scenario, size=3, wait=60)[0] == [[1, 2, 3]]

    async def alone(batcher, gate):
        gate.open.set()
        assert await batcher.submit(1) == 10  # though no other comes

    assert batched(alone, wait=0.01)[0] == [[1]]


def test_an_error_is_its_batchs_and_the_next_goes_on():
    async def scenario(batcher, gate):
        gate.open.set()
        outcomes = await asyncio.gather(
            *await submitted(batcher, 1, "bad", 3), return_exceptions=True
        )
        assert [str(outcome) for outcome in outcomes] == ["bad batch"] * 3
        assert await batcher.submit(4) == 40

    batched(scenario)


def test_who_is_gone_takes_no_place_in_a_batch():
    async def scenario(batcher, gate):
        (under_way,) = await submitted(batcher, 0)
        await until(lambda: batcher.busy_seconds)
        tasks = await submitted(batcher, 1, 2, 3, 4, 5)
        for task in (under_way, *tasks[:2]):
            task.cancel()
        gate.open.set()
        assert await asyncio.gather(*tasks[2:]) == [30, 40, 50]
        with pytest.raises(asyncio.CancelledError):
            await under_way

    assert batched(scenario)[0] == [[0], [3, 4, 5]]


class Arrays(Gate):
    """A `run` of arrays, which remembers their shapes."""

    def __call__(self, batch):
        assert self.open.wait(30)
        self.batches.append([x.shape for x in batch])
        return [x * 10 for x in batch]


@pytest.mark.parametrize(
    "room, shapes",
    [
        (None, [[(2,)], [(3,)] * 3, [(2,)] * 4, [(2,)]]),
        (6, [[(2,)], [(3,)] * 2, [(2,)] * 3, [(3,)], [(2,)] * 2]),
        (1, [[(2,)], [(3,)], [(2,)], [(2,)], [(3,)], [(2,)], [(3,)], [(2,)], [(2,)]]),
    ],
)
def test_a_batch_has_inputs_of_one_shape_the_oldest_first_and_no_more_than_there_is_room_for(
    room, shapes
):
    async def scenario(batcher, gate):
        first = await submitted(batcher, np.zeros(2))
        await until(lambda: batcher.busy_seconds)
        inputs = [np.full(n, i) for i, n in enumerate((3, 2, 2, 3, 2, 3, 2, 2))]
        rest = await submitted(batcher, *inputs)
        gate.open.set()
        rows = await asyncio.gather(*first, *rest)
        assert all(np.array_equal(row, x * 10) for row, x in zip(rows[1:], inputs))

    assert batched(scenario, room=room, gate=Arrays())[0] == shapes
