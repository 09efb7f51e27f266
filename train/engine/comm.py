"""The other processes of a run: the ranks of Horovod, or none.

`comm` is a parameter everywhere, so that the loop runs and is tested without Horovod.
"""

import contextlib
import importlib.util
import os
import sys
import threading

import mxnet as mx
import numpy as np

from gluon_glore.utils.errors import InputError

from ..config.sections import Horovod
from .launchers import check_launchers, claims

GPU_CYCLE, CPU_CYCLE = 1.0, 10.0  # milliseconds, where the configuration says none
PIECE = 2**22  # numbers that are broadcast at once


class LocalComm:
    """One process, alone."""

    rank, size, local_rank = 0, 1, 0

    def trainer(self, params, optimizer):
        """A Gluon trainer that updates `params`."""
        return mx.gluon.Trainer(params, optimizer, kvstore=None)

    def broadcast(self, arrays):
        """Overwrite the arrays, an iterable of NDArray, with those of rank 0."""

    def sum(self, values, name="sum"):
        """Sum a float64 array over all ranks."""
        return np.asarray(values, np.float64)

    def agree(self, name, value):
        """Raise InputError on all ranks where they do not have the same whole number."""

    def waiting(self):
        """A context for reading what depends on the other ranks."""
        return contextlib.nullcontext()

    def shutdown(self):
        """Leave the group."""


class HorovodComm:
    """The processes that `horovodrun` started, one a GPU or share of the cores."""

    def __init__(self, options):
        # hvd.init() reads them; what the user or horovodrun has set takes precedence.
        for name, value in environment(options, mx.context.num_gpus()).items():
            os.environ.setdefault(name, value)
        import horovod.mxnet as hvd

        hvd.init()
        self._hvd, self._options = hvd, options
        self.rank, self.size, self.local_rank = hvd.rank(), hvd.size(), hvd.local_rank()

    def trainer(self, params, optimizer):
        """A Gluon trainer that averages the gradients over all ranks."""
        return self._hvd.DistributedTrainer(
            params,
            optimizer,
            compression=getattr(self._hvd.Compression, self._options.compression),
            num_groups=groups(self._options, mx.context.num_gpus()),
        )

    def broadcast(self, arrays):
        """Overwrite the arrays, an iterable of NDArray, with those of rank 0.

        As sums to which only rank 0 contributes: Horovod 0.28.1's own broadcast reads a name that
        another thread may have freed (EnqueueTensorBroadcast), and crashed one start in twenty.
        Many arrays travel in one sum, which waits for Horovod's next cycle.
        """
        for piece in pieces(arrays, PIECE):
            mine = np.zeros(sum(array.size for array in piece))
            if self.rank == 0:
                mine[:] = np.concatenate([array.asnumpy().ravel() for array in piece])
            # Exact: float64, and all other summands are zero.
            parts = np.split(self.sum(mine), np.cumsum([array.size for array in piece])[:-1])
            for array, part in zip(piece, parts):
                array[:] = part.reshape(array.shape)

    def sum(self, values, name="sum"):
        """Sum a float64 array over all ranks.

        Two threads may call it at once with different names: the ranks match sums by name.
        """
        local = mx.nd.array(np.atleast_1d(np.asarray(values, np.float64)), dtype="float64")
        with self.waiting():
            total = self._hvd.allreduce(local, average=False, name=name).asnumpy()
        return total.reshape(np.shape(values))

    def agree(self, name, value):
        """Raise InputError on all ranks where they do not have the same whole number.

        Ranks of different step counts would wait for each other without end.
        """
        total, squares = self.sum([value, value**2])  # exact up to 2**53
        if squares * self.size != total**2:  # the variance, alike on all ranks
            raise InputError(
                f"the processes do not agree on the {name}, here {value}: have all hosts the same "
                "data?"
            )

    @contextlib.contextmanager
    def waiting(self):
        """A context for reading what depends on the other ranks.

        After `horovod.stall_seconds` inside it the process ends, by a thread of its own: the reader
        waits within MXNet. Horovod 0.28.1's stall check reports nothing with MXNet over Gloo.
        """
        seconds = self._options.stall_seconds
        if not seconds:
            yield
            return
        timer = threading.Timer(seconds, _give_up, [self.rank, seconds])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def shutdown(self):
        """Leave the group, once all computing that needs the others is done."""
        with self.waiting():
            mx.nd.waitall()
        self._hvd.shutdown()


def _give_up(rank, seconds):
    """End the process with an error; called from a thread of its own."""
    text = f"error: rank {rank} waited {seconds} s for the other processes (horovod.stall_seconds)"
    print(text, file=sys.stderr, flush=True)
    os._exit(1)  # without cleaning up, which would wait for the others too


def pieces(arrays, size):
    """Lists of arrays, in order, of at most `size` numbers each, or of one array that has more."""
    piece, held = [], 0
    for array in arrays:
        if piece and held + array.size > size:
            yield piece
            piece, held = [], 0
        piece.append(array)
        held += array.size
    if piece:
        yield piece


def environment(options, gpus):
    """The environment variables of a `Horovod` configuration section, on a host of so many GPUs.

    Horovod's thread wakes once a cycle to ask whether the others have gradients. With GPUs that is
    each millisecond, its own default; on CPUs it takes the core from computing.
    """
    cycle = options.cycle_ms or (GPU_CYCLE if gpus else CPU_CYCLE)
    return {
        "HOROVOD_FUSION_THRESHOLD": str(int(options.fusion_mb * 2**20)),
        "HOROVOD_CYCLE_TIME": str(cycle),
    }


def groups(options, gpus):
    """In how many groups gradients travel, 0 for each as it is ready, on a host of so many GPUs.

    With GPUs they travel while others are computed. A CPU's core either computes or sends, and one
    group is the least work.
    """
    return options.groups or (0 if gpus else 1)


def make_comm(options=None):
    """Horovod with its configuration under `horovodrun`, else one process.

    Under `mpirun` and the like too, where Horovod has MPI. Raises InputError where they started
    more processes than Horovod knows of.
    """
    launched = claims(os.environ) and importlib.util.find_spec("horovod")
    horovod = launched or "HOROVOD_SIZE" in os.environ
    comm = HorovodComm(options or Horovod()) if horovod else LocalComm()
    together(comm, lambda: check_launchers(os.environ, comm.size, comm.rank))
    return comm


class Here(InputError):
    """An error that this rank is the one to print."""


class Elsewhere(InputError):
    """An error that another rank found, and prints."""


def tells(error):
    """Whether this process is the one to print an error; `exit_code` asks.

    What all ranks find by themselves is printed once, by the first of each host.
    """
    return isinstance(error, Here) or first_of_host() and not isinstance(error, Elsewhere)


def first_of_host():
    """Whether this process is the first, or the only one, of those that `horovodrun` starts here.

    It can be asked before they know each other.
    """
    return os.environ.get("HOROVOD_LOCAL_RANK", "0") == "0"


def together(comm, check, elsewhere="see rank {}"):
    """Run `check()` on every rank; an InputError on one ends all, and is printed once.

    Returns what it returns. Raises Here on the first rank that has an error and Elsewhere on the
    others, with the message `elsewhere`, in which {} stands for the number of that rank.
    """
    result = error = None
    try:
        result = check()
    except InputError as found:
        error = found
    failed = np.flatnonzero(comm.sum(np.eye(comm.size)[comm.rank] * (error is not None)))
    if not len(failed):
        return result
    raise Here(str(error)) if comm.rank == failed[0] else Elsewhere(elsewhere.format(failed[0]))
