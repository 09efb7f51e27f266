"""Functions called by several threads at once."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np


def in_threads(function, arguments):
    """`[function(argument), ...]`, each in a thread of its own, all begun at the same moment."""
    begin = threading.Barrier(len(arguments))

    def call(argument):
        begin.wait()
        return function(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(call, arguments))


class Ranks:
    """The processes of a run as threads, each with `comm(rank)`."""

    def __init__(self, size):
        self._size, self._given, self._barrier = size, {}, threading.Barrier(size, timeout=20)

    def comm(self, rank):
        def add(values):
            self._given[rank] = np.asarray(values, float)
            self._barrier.wait()
            total = sum(self._given.values())
            self._barrier.wait()
            return total

        return SimpleNamespace(rank=rank, size=self._size, sum=add, waiting=contextlib.nullcontext)

    def run(self, function):
        with ThreadPoolExecutor(self._size) as pool:
            return list(pool.map(lambda rank: function(rank, self.comm(rank)), range(self._size)))
