"""A served network for code that calls it and waits, in a thread, as all of `inference` does."""

import asyncio
from concurrent.futures import CancelledError

import numpy as np


class NetworkFailed(Exception):
    """Raised in the thread where the network fails; the cause is what it raised."""


class NetworkOfAThread:
    """Maps a batch to outputs by `await run(rows)` on the event loop. Make it on that loop.

    After `close` each call raises CancelledError, also one that waits: nobody wants the outputs.
    """

    def __init__(self, run):
        self._run, self._loop = run, asyncio.get_running_loop()
        self._waits_for, self._closed = None, False

    def __call__(self, batch):
        """The outputs for a batch. Raises CancelledError, or NetworkFailed from what `run` does."""
        self.check()
        future = asyncio.run_coroutine_threadsafe(self._run(list(batch)), self._loop)
        self._waits_for = future
        if self._closed:
            future.cancel()
        try:
            rows = future.result()
        except CancelledError:
            raise
        except Exception as error:
            raise NetworkFailed from error
        return rows[0][None] if len(rows) == 1 else np.stack(rows)

    def check(self):
        """Raise CancelledError after `close`; called between the steps of long work."""
        if self._closed:
            raise CancelledError

    def close(self):
        """Let the thread end at its next call."""
        self._closed = True
        if self._waits_for is not None:
            self._waits_for.cancel()
