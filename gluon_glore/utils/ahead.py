"""Work done ahead in threads, its results taken in order."""

import contextlib
import queue
import threading
from concurrent.futures import Future

_END = object()


class Ahead:
    """Iterate over `function(item)` in the order of `items`, computed by `threads` threads.

    The work begins at once. One more thread iterates over `items`, and never has more than `ahead`
    of them whose results are not taken yet. An error of `items` or of `function` is raised in the
    place of the result. All threads are daemons, so that one that waits for a pipe does not keep
    the process from ending.

    To leave before the end, call `stop`; or `close`, where files or buffers must be free after it.
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
        """Futures of the next results, from 1 to `most` of them; none at the end.

        Waits until there is one, and takes others only where their items are there already: an item
        of a slow source does not wait for the next one.
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
        """Take no other items, and cancel those that no thread has begun."""
        self._stopped.set()
        self._room.release()

    def close(self):
        """Stop, and wait until the work that was begun has ended."""
        self.stop()
        for thread in self._workers:
            thread.join()

    def _ask(self, items):
        """Put all items in both queues, while there is room and no stop; then `_END`."""
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
            pass  # in a function of its own, so that no result is kept alive while this waits

    def _do(self, task):
        """Do the work on one item. Returns whether other tasks may follow."""
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
    """Yield `function(item)` in the order of `items`, up to `ahead` of them computed ahead.

    `threads` threads compute them. A caller that leaves early waits for the work that was begun.
    Raises the errors of `items` and of `function`.
    """
    work = Ahead(function, items, threads, ahead)
    try:
        yield from work
    finally:
        work.close()
