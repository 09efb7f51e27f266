"""Runs cases in a process of its own, and says before each which one it is.

    python -m tests.fuzz.worker BOARD

BOARD is a file that the parent maps too: what stands there outlives a crash. A job is a line of
JSON on standard input, `[kind, seed, first, last + 1]`; a fault is a line of JSON on standard
output, and so is the end of a job. What libraries print goes to standard error.
"""

import contextlib
import faulthandler
import gc
import json
import mmap
import os
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback

from gluon_glore.utils.cpu import prepare_cpu
from gluon_glore.utils.errors import InputError

from .kind import MIB, case
from .kinds import find

# The case; how many were accepted and refused before it; the largest growth of a case and that of
# all, in bytes; microseconds of processor time since the worker began.
BOARD = struct.Struct("<6q")
NOT_BEGUN = -1  # in the place of a case
_MORE_MEMORY = 4096 * MIB  # where allocating ends, so that a fault can't take the machine's memory


class _Memory:
    """The memory of this process, in bytes; `reset` forgets its peak."""

    def __init__(self):
        self._clear = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)
        self._status = os.open("/proc/self/status", os.O_RDONLY)

    def reset(self):
        """Forget the peak. Returns what is taken now."""
        os.pwrite(self._clear, b"5", 0)
        return self.now()

    def now(self):
        return int(os.pread(self._statm, 100, 0).split()[1]) * resource.getpagesize()

    def peak(self):
        # Not getrusage's: that remembers the process that started this one.
        status = os.pread(self._status, 4096, 0)
        return int(status.partition(b"VmHWM:")[2].split(maxsplit=1)[0]) * 1024

    def limit(self, more):
        """Let allocations fail that would take `more` bytes than there are now."""
        data = int(os.pread(self._statm, 100, 0).split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (data + more, resource.RLIM_INFINITY))


def run(job, board, memory, tell):
    """Run the cases of a job: `[kind, seed, first, last + 1]`."""
    name, seed, first, end = job
    kind = find(name)
    seeds = kind.seeds()
    with tempfile.TemporaryDirectory() as folder:
        for data in seeds:  # what is loaded and kept at the first call is no case's
            with contextlib.suppress(InputError, AssertionError):
                kind.target(data, folder)
        gc.collect()
        memory.limit(_MORE_MEMORY)
        start, accepted, refused, largest = memory.now(), 0, 0, 0

        def put(number):
            used = int(time.process_time() * 1e6)
            grown = memory.now() - start
            BOARD.pack_into(board, 0, number, accepted, refused, largest, grown, used)

        for number in range(first, end):
            if number % kind.share:
                continue
            put(number)
            fault, took = None, 0
            data = case(kind, name, seeds, seed, number)
            begun = time.process_time()
            _limit_processor(begun + kind.seconds)
            before = memory.reset()
            try:
                kind.target(data, folder)
                accepted += 1
            except InputError as error:
                refused += 1
                fault = _not_one_line(str(error))
            except BaseException as error:
                fault = "exception", _last_line(error)
            grown, took = memory.peak() - before, time.process_time() - begun
            largest = max(largest, grown)
            if grown > kind.memory:
                tell(number, "memory", f"{grown / MIB:.0f} MiB, {kind.memory / MIB:.0f} allowed")
            if took > kind.seconds:  # a machine under load can hold a case up: once more
                begun = time.process_time()
                with contextlib.suppress(BaseException):
                    kind.target(data, folder)
                took = time.process_time() - begun
            if took > kind.seconds:
                tell(number, "hang", f"{took:.1f} s, {kind.seconds:g} allowed")
            if fault:
                tell(number, *fault)
        gc.collect()
        kept = memory.now() - start
        put(end)
        if kept > kind.kept:
            tell(end - 1, "memory", f"{kept / MIB:.0f} MiB left behind by all cases")


def _limit_processor(seconds):
    """Let the system end this process, by SIGXCPU, within a second after it has used so many."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, resource.RLIM_INFINITY))


def _not_one_line(message):
    """A fault where a refusal is not what a user can be shown, else None."""
    if not message.isprintable() or not 0 < len(message) < 3000:
        return "message", repr(message[:200])
    return None


def _last_line(error):
    """What was raised, and the place in this project that it came through last."""
    places = [
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and "/lib/python" not in frame.filename
    ]
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text} ({places[-1] if places else ''})"


def main():
    """Run the jobs of standard input until it ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    faulthandler.enable()
    faulthandler.register(signal.SIGXCPU, chain=True)
    prepare_cpu()
    with open(sys.argv[1], "r+b") as file:
        board = mmap.mmap(file.fileno(), BOARD.size)
    memory = _Memory()

    def tell(number, what, text):
        print(json.dumps([number, what, text]), file=answers, flush=True)

    for line in sys.stdin:
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        run(json.loads(line), board, memory, tell)
        print(json.dumps("done"), file=answers, flush=True)


if __name__ == "__main__":
    main()
