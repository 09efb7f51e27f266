"""Work done ahead in threads, its results taken in order."""

import contextlib
import queue
import threading
from concurrent.futures import Future

_END = object()


class Ahead:
    """Iterate over `function(item)` in the order of `items`, made by `threads` threads.

    One more thread asks for the items. At most `ahead` of them are in hand at a time: asked for,
    and their result not yet taken. The work begins at once. What asking for an item or the
    work on it raises is raised where the result would have come. All threads are daemons, so that
    none that waits for a pipe holds up the end of the process.

    Who stops before the end calls `stop`, or `close` where files or buffers must be free after it.
    """

    def __init__(self, function, items, threads, ahead):
        self._function = function
        self._todo, self._ordered = queue.SimpleQueue(), queue.SimpleQueue()
        self._room, self._stopped = threading.Semaphore(ahead), threading.Event()
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in (
            threading.Thread(target=self._ask, args=(items,), daemon=True),
            *self._workers,
        ):
            thread.start()

    def __iter__(self):
        return self

    def __next__(self):
        taken = self.take(1)
        if not taken:
            raise StopIteration
        return taken[0].result()

    def take(self, most):
        """Futures of the next results, up to `most` that are asked for by now; none at the end.

        Waits for one. Those of a slow source don't wait for others.
        """
        taken = []
        with contextlib.suppress(queue.Empty):
            while len(taken) < most:
                future = self._ordered.get(block=not taken)
                if future is _END:
                    self._ordered.put(_END)  # for the next call
                    break
                self._room.release()
                taken.append(future)
        return taken

    def stop(self):
        """Ask for no more items, and drop those that no thread has begun."""
        self._stopped.set()
        self._room.release()

    def close(self):
        """Stop, and wait for the work that was begun."""
        self.stop()
        for thread in self._workers:
            thread.join()

    def _ask(self, items):
        items = iter(items)
        try:
            while self._room.acquire() and not self._stopped.is_set():
                item = next(items, _END)
                if item is _END:
                    break
                future = Future()
                self._todo.put((item, future))
                self._ordered.put(future)
        except BaseException as error:
            failed = Future()
            failed.set_exception(error)
            self._ordered.put(failed)
        finally:
            self._ordered.put(_END)
            for _ in self._workers:
                self._todo.put(_END)
            if hasattr(items, "close"):
                items.close()  # a generator that holds a file

    def _work(self):
        while self._do(self._todo.get()):
            pass  # and hold no result while waiting for the next item

    def _do(self, task):
        if task is _END:
            return False
        item, future = task
        if self._stopped.is_set():
            future.cancel()
            return True
        try:
            future.set_result(self._function(item))
        except BaseException as error:
            future.set_exception(error)
        return True


def ordered_map(function, items, threads, ahead):
    """Yield `function(item)` in the order of `items`, up to `ahead` of them made ahead by threads.

    Where it is left early, it waits for the work that was begun. Raises what asking for an item or
    the work on it raises.
    """
    work = Ahead(function, items, threads, ahead)
    try:
        yield from work
    finally:
        work.close()
