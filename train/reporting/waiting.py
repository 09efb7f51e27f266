"""How long the network was idle because its next batch was not there yet."""

import itertools
import time

import mxnet as mx

EVERY = 8


class Waiting:
    """Iterate over `batches`; `seconds` says how long the network has waited for them so far.

    MXNet computes in the background while the trainer asks for the next batch: that time counts as
    waiting only once the network has nothing left to compute. To wait for that before each batch
    would end the overlap, so the first two batches are timed, then one of EVERY, and each other one
    counts like the last that was timed.
    """

    def __init__(self, batches):
        self.seconds = 0.0
        self._batches = batches

    def __iter__(self):
        batches, wait = iter(self._batches), 0.0
        for number in itertools.count():
            timed = number < 2 or number % EVERY == 0
            if timed:
                mx.nd.waitall()
            started = time.perf_counter()
            try:
                batch = next(batches)
            except StopIteration:
                return
            if timed:
                wait = time.perf_counter() - started
            self.seconds += wait
            yield batch
