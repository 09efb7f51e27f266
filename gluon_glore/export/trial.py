"""The runtimes of an exported folder tried one after the other, in a process of their own.

What a stranger's file makes a runtime do is not foreseen: some end the process that loads them,
some don't end at all, some take all memory. The process that tries them has limits, and tells each
step on a pipe, so that whoever started it knows what it died of, and goes on with the next runtime.
"""

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from ..utils.errors import InputError
from ..weights.golden import read_golden, relative_error, top1_agreement
from .files import read_files
from .runtimes import start_runtime

SECONDS = 600  # for a runtime to be loaded and give the golden pair: ResNet-200 takes 20
MEMORY = 0.75  # of what the machine has left when a runtime is tried
_ROOT = Path(__file__).parents[2]  # where the process finds this package


def trial(files, name, data=None):
    """Yield the figures of a runtime: `{"error", "top1_agreement"}`, then of `data` `{"measured"}`.

    `data` is labelled samples, and what was measured on them is as a zoo's card has it. Raises
    InputError where the runtime fails on the golden pair, or `data` can't be used.
    """
    network = start_runtime(files, name)
    x, expected = read_golden(files.folder)
    logits = network(x)
    yield {
        "error": relative_error(logits, expected),
        "top1_agreement": top1_agreement(logits, expected),
    }
    if data:
        yield {"measured": _measure(network, data, files.manifest)}


def trials(files, names, data=None):
    """Yield `(name, figures, problem)` for each runtime of `names`, tried in other processes.

    `problem` is a line about what kept it from giving all its figures, "" where nothing did. Raises
    InputError where `data` can't be used.
    """
    names = list(names)
    while names:
        with _Process(files.folder, names, data) as process:
            while names and not process.ended:
                yield (names[0], *_gathered(process.steps()))
                del names[0]


def trials_here(files, names, data=None):
    """Yield what `trials` yields, of runtimes that are tried in this process, without limits."""
    for name in names:
        yield (name, *_gathered(_steps(files, name, data)))


def refuse_records(data, manifest):
    """Raise InputError where the pictures `data` can't be used for a manifest's network."""
    from .calibration import open_labelled  # takes MXNet, and checking a folder does not

    open_labelled(data, manifest)


def _steps(files, name, data):
    """Yield what is told of a runtime: figures as they come, then a problem, "" where all is well.

    In the place of that, what makes `data` unusable.
    """
    figures = {}
    try:
        for figures in trial(files, name, data):
            yield figures
    except InputError as error:  # a network that gave the golden pair takes all good pictures
        yield {"unusable" if figures else "problem": str(error)}
    else:
        yield {"problem": ""}


def _gathered(steps):
    """`(figures, problem)` of a runtime's steps. Raises InputError where the data is unusable."""
    figures = {}
    for step in steps:
        if "unusable" in step:
            raise InputError(step["unusable"])
        if "problem" in step:
            break
        figures.update(step)
    return figures, step["problem"]


class _Process:
    """A process that tries runtimes one after the other; `ended` where it does so no more."""

    def __init__(self, folder, names, data):
        self.ended = False
        self._arguments = [os.fspath(folder), os.fspath(data) if data else "", *names]

    def __enter__(self):
        mine, others = os.pipe()
        path = os.pathsep.join(filter(None, [os.fspath(_ROOT), os.environ.get("PYTHONPATH")]))
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(others), *self._arguments],
            env={**os.environ, "PYTHONPATH": path},
            pass_fds=[others],
            stdin=subprocess.DEVNULL,
        )
        os.close(others)
        self._pipe = open(mine, "rb", buffering=0)  # noqa: SIM115, closed by __exit__
        self._lines = _Lines(self._pipe)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._pipe.close()

    def steps(self):
        """Yield the steps of the next runtime; that its process ended is a problem of it."""
        deadline = time.monotonic() + SECONDS
        while True:
            step = self._lines.next(deadline)
            if step is None:
                self.ended = True
                yield {"problem": self._ending(deadline)}
                return
            yield step
            deadline = None  # what gives the golden pair in time gives the pictures, too

    def _ending(self, deadline):
        """Why the process tells no more."""
        if deadline is not None and time.monotonic() >= deadline:
            return f"did not give the golden pair within {SECONDS} s"
        code = self._process.wait()
        how = f"with exit code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
        return f"its process ended {how}"


class _Lines:
    """The lines of JSON that come through a pipe."""

    def __init__(self, pipe):
        self._pipe, self._data = pipe, b""

    def next(self, deadline):
        """The next line's value; None where the pipe is closed, or there is none at `deadline`."""
        while b"\n" not in self._data:
            left = None if deadline is None else max(0, deadline - time.monotonic())
            ready, _, _ = select.select([self._pipe], [], [], left)
            more = self._pipe.read(2**16) if ready else b""
            if not more:
                return None
            self._data += more
        line, self._data = self._data.split(b"\n", 1)
        return json.loads(line)


def _measure(network, data, manifest):
    """What a runtime reaches on the labelled samples in `data`, as a card says it."""
    from .calibration import open_labelled  # reading records takes MXNet, checking does not
    from .samples import BATCH, with_own_pixels

    network, manifest = with_own_pixels(network, manifest, BATCH)
    return open_labelled(data, manifest).measure(network, BATCH)


def _limit_memory():
    """Let this process allocate no more than a share of what the machine has left."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return
    left = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    if left:
        most = int(int(left) * 1024 * MEMORY)
        resource.setrlimit(
            resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1])
        )


def _unhandle_signals():
    """Let a crash be the signal that it is: MXNet makes exit code 255 of it."""
    import mxnet  # noqa: F401, it takes the signals when it is imported

    for number in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE):
        signal.signal(number, signal.SIG_DFL)


def _say_alone():
    """Leave stderr to Python: native code that dies says a lot, and nothing that helps."""
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)


def main(pipe, folder, data, *names):
    """Try the runtimes `names` of a folder, and tell each step on the file descriptor `pipe`."""
    _say_alone()
    _limit_memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    files = read_files(folder)
    with open(int(pipe), "w", buffering=1) as told:
        for name in names:
            if name == "mxnet":
                _unhandle_signals()
            for step in _steps(files, name, data or None):
                print(json.dumps(step), file=told)


if __name__ == "__main__":
    main(*sys.argv[1:])
