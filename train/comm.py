"""What a trainer asks of the other processes: Horovod's ranks, or none.

`comm` is a parameter everywhere, so that the loop runs and is tested without Horovod.
"""

import os

import mxnet as mx
import numpy as np


class LocalComm:
    """One process."""

    rank, size, local_rank = 0, 1, 0

    def trainer(self, params, optimizer):
        """A Gluon trainer that updates `params`."""
        return mx.gluon.Trainer(params, optimizer, kvstore=None)

    def broadcast(self, arrays):
        """Overwrite the arrays, an iterable of NDArray, with those of rank 0."""

    def sum(self, values):
        """Sum a float64 array over all ranks."""
        return np.asarray(values, np.float64)

    def shutdown(self):
        """Leave the group."""


class HorovodComm:
    """The processes that `horovodrun` started, one a GPU or share of the cores."""

    def __init__(self):
        import horovod.mxnet as hvd

        hvd.init()
        self._hvd = hvd
        self.rank, self.size, self.local_rank = hvd.rank(), hvd.size(), hvd.local_rank()

    def trainer(self, params, optimizer):
        """A Gluon trainer that averages the gradients over all ranks."""
        return self._hvd.DistributedTrainer(params, optimizer)

    def broadcast(self, arrays):
        """Overwrite the arrays, an iterable of NDArray, with those of rank 0.

        As sums to which only rank 0 contributes: Horovod 0.28.1's own broadcast reads a name that
        another thread may have freed (EnqueueTensorBroadcast), and crashed one start in twenty.
        """
        for array in arrays:
            mine = array.asnumpy() if self.rank == 0 else np.zeros(array.shape)
            array[:] = self.sum(mine)  # exact: float64, and all other summands are zero

    def sum(self, values):
        """Sum a float64 array over all ranks."""
        local = mx.nd.array(np.atleast_1d(np.asarray(values, np.float64)), dtype="float64")
        total = self._hvd.allreduce(local, average=False, name="sum").asnumpy()
        return total.reshape(np.shape(values))

    def shutdown(self):
        """Leave the group."""
        self._hvd.shutdown()


def make_comm():
    """Horovod under `horovodrun` (or mpirun), else one process."""
    launched = {"HOROVOD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE"} & set(os.environ)
    return HorovodComm() if launched else LocalComm()
