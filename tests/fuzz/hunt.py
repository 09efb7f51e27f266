"""Has a worker run cases, and tells which of them ended it, or did not end."""

import contextlib
import json
import mmap
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from typing import Dict, List, Tuple

from tests.helpers.places import ROOT

from .kind import MIB
from .kinds import find
from .worker import BOARD, NOT_BEGUN

FAULTS = ("crash", "hang", "exception", "message", "memory")
_MEMORY = "/dev/shm"  # where files are not synced to a disk, which takes most of a case's time
_BEGINNING = 300.0  # seconds in which a worker has imported all and made its seeds
_MOST_ENDED = 100  # cases, after which a kind is given up: each costs a start of the worker
# Freed memory goes back to the system at once: what a case takes is seen whichever came before it.
_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
_ENVIRONMENT |= {"OPENCV_IO_MAX_IMAGE_PIXELS": str(2**20), "OPENCV_LOG_LEVEL": "SILENT"}
_ENVIRONMENT |= {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}


@dataclass
class Tally:
    """What came of the cases of a kind, in how many seconds of a processor.

    `faults` has (number, what happened) of each of FAULTS.
    """

    kind: str
    seconds: float = 0.0
    accepted: int = 0
    refused: int = 0
    peak: int = 0
    kept: int = 0
    ended: int = 0  # cases that ended the worker
    faults: Dict[str, List[Tuple[int, str]]] = field(
        default_factory=lambda: {what: [] for what in FAULTS}
    )

    @property
    def bad(self):
        """How many faults there are."""
        return sum(map(len, self.faults.values()))

    @property
    def cases(self):
        """How many cases were run."""
        return self.accepted + self.refused + len(self.faults["exception"]) + self.ended


class Hunter:
    """A worker, started when it is needed, and started again where a case ended it."""

    def __init__(self):
        self._process = None
        self._folder = tempfile.TemporaryDirectory(dir=_MEMORY if os.path.isdir(_MEMORY) else None)
        self._board_path = os.path.join(self._folder.name, "board")
        self._log_path = os.path.join(self._folder.name, "log")
        with open(self._board_path, "wb") as file:
            file.write(bytes(BOARD.size))
        with open(self._board_path, "r+b") as file:
            self._board = mmap.mmap(file.fileno(), BOARD.size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._end()
        self._board.close()
        self._folder.cleanup()

    def run(self, name, count, seed=0, start=0) -> Tally:
        """Run the cases `start` to `start + count` of a kind."""
        tally, at, end, again = Tally(name), start, start + count, None
        wall = find(name).wall  # what it imports may be missing
        while at < end and tally.ended < _MOST_ENDED:
            process = self._started()
            BOARD.pack_into(self._board, 0, NOT_BEGUN, 0, 0, 0, 0, self._used)
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(json.dumps([name, seed, at, end]) + "\n")
                process.stdin.flush()
            stuck = self._watch(process, tally, wall)
            number, accepted, refused, peak, kept, used = BOARD.unpack_from(self._board, 0)
            if number == NOT_BEGUN:
                raise RuntimeError(f"{name}: the worker did not begin: {stuck}")
            tally.seconds += (used - self._used) / 1e6
            self._used = used
            tally.accepted += accepted
            tally.refused += refused
            tally.peak = max(tally.peak, peak)
            tally.kept = max(tally.kept, kept)
            at = end
            if stuck is not None and stuck[0] == "hang" and number != again:
                at = again = number  # a machine under load can hold a case up: once more, alone
            elif stuck is not None:
                tally.faults[stuck[0]].append((number, stuck[1]))
                tally.ended += 1
                at = number + 1
        return tally

    def _started(self):
        """The worker's process."""
        if self._process is None:
            self._log = open(self._log_path, "wb")  # noqa: SIM115 - open as long as the process is
            self._used = 0  # processor time, in microseconds
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.fuzz.worker", self._board_path],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                text=True,
                bufsize=1,
                env={**os.environ, **_ENVIRONMENT, "TMPDIR": self._folder.name},
            )
            self._lines = queue.SimpleQueue()
            self._reader = threading.Thread(target=_copy, args=(self._process.stdout, self._lines))
            self._reader.start()
        return self._process

    def _watch(self, process, tally, wall):
        """Read the worker's answers until its job is done. Returns (fault, text) of what ended it.

        A case that waits for more than `wall` seconds is ended here; the system ends one that
        computes for too long. Waiting for a processor is the machine's fault, and does not count.
        """
        asleep, number, seen = 0.0, None, time.monotonic()
        while True:
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=0.2)
                if not line:
                    return self._buried("crash")
                if json.loads(line) == "done":
                    return None
                self._note(tally, line)
                continue
            before, seen = seen, time.monotonic()
            now = BOARD.unpack_from(self._board, 0)[0]
            if now != number:
                asleep, number = 0.0, now
            elif _is_asleep(process.pid):
                asleep += seen - before
            if asleep > (_BEGINNING if now == NOT_BEGUN else wall):
                process.send_signal(signal.SIGABRT)  # faulthandler says where it was
                buried = self._buried("hang")
                for line in iter(self._lines.get, ""):
                    self._note(tally, line)
                return buried

    @staticmethod
    def _note(tally, line):
        """Enter a fault that the worker tells."""
        number, what, text = json.loads(line)
        tally.faults[what].append((number, text))

    def _buried(self, what):
        """(fault, text) of a worker that ended, or was told to."""
        process = self._process
        try:
            code = process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = None
        self._end()
        with open(self._log_path, "rb") as file:
            lines = file.read().decode(errors="replace").splitlines()
        place = next((line.strip() for line in lines if line.strip().startswith('File "')), "")
        if code == -signal.SIGXCPU:
            what = "hang"
        end = signal.Signals(-code).name if code is not None and code < 0 else f"exit {code}"
        return what, f"{end} {place or ' '.join(lines[-1:])}"

    def _end(self):
        """End the worker."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
            self._process.stdout.close()
            self._process = None
            self._log.close()


def _is_asleep(pid):
    """Whether a process waits for something else than a processor."""
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0] in "SD"


def _copy(stream, lines):
    """Put the lines of a stream into a queue, and an empty one at its end."""
    for line in stream:
        lines.put(line)
    lines.put("")


TITLES = ("kind", "cases", "accepted", "refused", "crashes", "hangs", "others", "peak MiB")


def row(tally):
    """A tally as cells under TITLES, and the seconds."""
    faults = {what: len(found) for what, found in tally.faults.items()}
    others = faults["exception"] + faults["message"] + faults["memory"]
    cells = [tally.kind, tally.cases, tally.accepted, tally.refused, faults["crash"]]
    return [*cells, faults["hang"], others, f"{tally.peak / MIB:.1f}"]


def described(tally, most=20):
    """A line for each kind of fault: what, how often, the first number, what it said."""
    groups = {}
    for what, found in tally.faults.items():
        for number, text in found:
            key = what, text.rpartition(" (")[2] if what == "exception" else text[:40]
            groups.setdefault(key, []).append((number, text))
    return [
        f"{tally.kind} {what}, {len(found)} of them, number {found[0][0]}: {found[0][1]}"
        for (what, _), found in list(groups.items())[:most]
    ]
