"""Requests that wait at the same time go through the network as one batch."""

import asyncio
import contextlib
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor


class Batcher:
    """`await submit(x)` is one row of `run([x, ...])`, a function that runs in a thread of its own.

    A batch is what waits when the one before is done, up to `size`; where that is less, it waits
    `wait` seconds for more. `observe(number)` is told the size of each batch. All methods are for
    the event loop's thread.
    """

    def __init__(self, run, size, wait, observe):
        self._run, self._size, self._wait, self._observe = run, size, wait, observe
        self._waiting = deque()
        self._some, self._enough = asyncio.Event(), asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._since = None
        self._task = asyncio.ensure_future(self._work())

    def __len__(self):
        """How many wait for a batch."""
        return len(self._waiting)

    @property
    def busy_seconds(self):
        """How long the batch that is under way has taken so far."""
        return 0.0 if self._since is None else time.monotonic() - self._since

    async def submit(self, x):
        """The row of `run` for x. Raises what `run` raises for the batch.

        Who is cancelled while waiting takes no place in a batch.
        """
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((x, future))
        self._some.set()
        if len(self._waiting) >= self._size:
            self._enough.set()
        return await future

    async def close(self):
        """Give up what waits."""
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
        batch = []
        while self._waiting and len(batch) < self._size:
            x, future = self._waiting.popleft()
            if not future.done():
                batch.append((x, future))
        if not self._waiting:
            self._some.clear()
        if len(self._waiting) < self._size:
            self._enough.clear()
        return batch

    async def _answer(self, batch):
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
        for (_, future), (tell, value) in zip(batch, outcomes):
            if not future.done():  # cancelled: its client is gone, or its time is up
                tell(value)
