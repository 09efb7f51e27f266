"""How long a server may take until it first answers.

In requests the name's look-up has no limit, and connecting to each of several addresses, the
handshake, redirections and each block of a header have one each: together they take minutes.
"""

import queue
import threading
import time

from .partial_file import Cut

REACH = 5.0  # seconds, all attempts together
_GRACE = 0.5  # more, so that a limit of requests' own speaks first


class Unreachable(Cut):
    """A server has not answered once."""


class Reach:
    """The time in which a server must first answer, `seconds` over all attempts."""

    def __init__(self, seconds=None):
        self.seconds = REACH if seconds is None else seconds
        self.answered = False
        self._end = time.monotonic() + self.seconds

    def left(self, pause=0.0):
        """Seconds left after a `pause`; without end once the server has answered."""
        return float("inf") if self.answered else self._end - time.monotonic() - pause

    def open(self, connect, timeout):
        """What `connect(timeout)` returns, the server's answer, with `timeout` cut to what is left.

        Raises Cut where it does not return in time: a thread of its own then waits on.
        """
        if self.answered:
            return connect(timeout)
        left = max(self.left(), 0.01)
        done = queue.Queue()

        def run():
            try:
                done.put((connect(min(timeout, left)), None))
            except BaseException as error:
                done.put((None, error))

        threading.Thread(target=run, daemon=True).start()
        try:
            response, error = done.get(timeout=left + _GRACE)
        except queue.Empty:
            raise Cut(f"no answer within {self.seconds:g} s") from None
        if error is not None:
            raise error
        self.answered = True
        return response
