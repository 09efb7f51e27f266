"""Functions called by several threads at once."""

import threading
from concurrent.futures import ThreadPoolExecutor


def in_threads(function, arguments):
    """`[function(argument), ...]`, each in a thread of its own, all begun at the same moment."""
    begin = threading.Barrier(len(arguments))

    def call(argument):
        begin.wait()
        return function(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(call, arguments))
