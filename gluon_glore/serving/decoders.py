"""Threads that decode: work waits for one on the event loop, and leaves when nobody wants it."""

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor


class Decoders:
    """`await run(function, *args)` gives what the function returns, called in one of the threads.

    Work whose caller is cancelled before a thread has begun with it is never begun, and nothing of
    it is kept. A thread that has begun goes on to the end: `given_up` is how many do so in vain.
    All methods are for the event loop's thread.
    """

    def __init__(self, workers):
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        # As much again waits behind the threads: none is idle until the event loop has its turn.
        self._places = asyncio.Semaphore(2 * workers)
        self._in_vain = set()

    @property
    def given_up(self):
        """The number of threads that work for nobody."""
        return len(self._in_vain)

    async def run(self, function, *args):
        """What `function(*args)` returns or raises."""
        await self._places.acquire()
        loop = asyncio.get_running_loop()

        def end(job):
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._ended, job)

        call = [function, args]
        job = self._threads.submit(_do, call)
        job.add_done_callback(end)
        done = asyncio.wrap_future(job)
        # What it raises is taken here, for Python 3.13 logs it where nobody waits for it any more.
        done.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not job.running():
                call.clear()  # its place stays taken until a thread has passed over it
            if job.running():
                self._in_vain.add(job)
            raise

    def _ended(self, job):
        self._in_vain.discard(job)
        self._places.release()

    def close(self):
        """Let the threads end when they have nothing to do."""
        self._threads.shutdown(wait=False)


def _do(call):
    """Call a function, unless nobody waits for it any more."""
    if function_and_arguments := call.copy():  # for it may be cleared meanwhile
        function, arguments = function_and_arguments
        return function(*arguments)
    return None
