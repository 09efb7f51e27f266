"""Ending a run early and cleanly: SIGTERM or SIGINT asks for it, all ranks agree on the step.

A signal's handler only sets a flag: a collective inside it could run into one of the loop.
"""

import signal

STOPPED = 75  # exit code: sysexits.h's EX_TEMPFAIL, "try again later"


class Stopped(Exception):
    """The run was asked to stop and has saved, at the place that the message names."""


class StopFlag:
    """While entered, SIGTERM and SIGINT ask for a stop; a second SIGINT interrupts at once."""

    def __init__(self):
        self.asked = False
        self._before = {}

    def __enter__(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *error):
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number, frame):
        """Note the wish for a stop; the handler of both signals."""
        self.asked = True
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)

    def agreed(self, comm):
        """Whether any rank was asked to stop. A collective: all ranks call it at the same place."""
        if comm.size == 1:
            return self.asked
        return bool(comm.sum([self.asked])[0])
