"""Memory that batches are written to, used again once nobody holds its batch.

Fresh memory costs more than what is written to it: the kernel clears every page of it first. For a
batch of photographs that was a tenth of all work of the training input.
"""

import collections

import numpy as np


class Buffers:
    """Arrays of one shape at a time, of which up to `keep` wait for their next use; thread-safe."""

    def __init__(self, keep):
        self._free = collections.deque(maxlen=keep)

    def take(self, shape):
        """A float32 array of a shape, its values anything.

        Its memory is nobody else's until this array, and every view of it, is gone. Memory of
        another shape that waits is given up.
        """
        try:
            while (memory := self._free.pop()).shape != shape:
                pass
        except IndexError:
            memory = np.empty(shape, np.float32)
        return np.asarray(_Lent(memory, self._free))


class _Lent:
    """The owner of lent memory in numpy's eyes: each array that looks at it keeps this alive."""

    def __init__(self, memory, free):
        self.__array_interface__ = memory.__array_interface__
        self._memory, self._free = memory, free

    def __del__(self):
        self._free.append(self._memory)
