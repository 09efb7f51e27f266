"""Batches for a network: requests that wait at the same time go through it together."""

import asyncio
import contextlib
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np


class Batcher:
    """Collects inputs into batches; `await submit(x)` gives one row of `run([x, ...])`.

    `run` is called in a thread of its own. A batch has what waits when the one before is done, up
    to `size` inputs; where fewer wait, they wait `wait` seconds for more. Inputs have a `shape`: a
    batch has the one that waits longest and others of its shape, and no more than have `room`
    elements together, where that is given. `observe(number)` is called with the size of each batch.
    All methods are for the event loop's thread.
    """

    def __init__(self, run, size, wait, observe, room=None):
        self._run, self._size, self._wait, self._observe = run, size, wait, observe
        self._room = room
        self._waiting = deque()
        self._some, self._enough = asyncio.Event(), asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._since = None
        self._task = asyncio.ensure_future(self._work())

    def __len__(self):
        """The number of inputs that wait for a batch."""
        return len(self._waiting)

    @property
    def busy_seconds(self):
        """How long the batch that runs now has taken so far; 0 where none runs."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    def most(self, x):
        """How many inputs of the shape of x are a full batch."""
        return max(1, min(self._size, self._room // x.size)) if self._room else self._size

    async def submit(self, x):
        """The row of `run` for x. Raises what `run` raises for the batch.

        A call that is cancelled while it waits takes no place in a batch.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((x, future))
        self._some.set()
        if len(self._waiting) >= self._size:
            self._enough.set()
        return await future

    async def close(self):
        """Stop; inputs that wait get no answer."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._thread.shutdown(wait=False)

    async def _work(self):
        while True:
            await self._some.wait()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._enough.wait(), self._wait)
            batch = self._take()
            if batch:
                await self._answer(batch)

    def _take(self):
        """The next batch, [(input, future), ...], without calls that were cancelled."""
        batch, others, most = [], [], 1
        while self._waiting and len(batch) < most:
            x, future = self._waiting.popleft()
            if future.done():
                continue
            if not batch:
                most = self.most(x)
            elif np.shape(x) != np.shape(batch[0][0]):
                others.append((x, future))
                continue
            batch.append((x, future))
        self._waiting.extendleft(reversed(others))
        if not self._waiting:
            self._some.clear()
        if len(self._waiting) < self._size:
            self._enough.clear()
        return batch

    async def _answer(self, batch):
        """Run a batch and give each of its futures its row, or the error."""
        self._observe(len(batch))
        self._since = time.monotonic()
        try:
            loop = asyncio.get_running_loop()
            rows = await loop.run_in_executor(self._thread, self._run, [x for x, _ in batch])
            outcomes = [(future.set_result, row) for (_, future), row in zip(batch, rows)]
        except Exception as error:
            outcomes = [(future.set_exception, error) for _, future in batch]
        finally:
            self._since = None
        for (_, future), (fulfil, value) in zip(batch, outcomes):
            if not future.done():  # cancelled: its client is gone, or its time is up
                fulfil(value)
