"""A network that is served under a name: its batches, its threads, and what it answers."""

import asyncio

import numpy as np

from ..utils.errors import InputError, OutputError
from ..weights.golden import logits_of
from .answers import answers_of
from .batcher import Batcher
from .decoders import Decoders
from .limits import Refusal
from .network_of_a_thread import NetworkFailed, NetworkOfAThread


class ServedModel:
    """A `Predictor` of any task under a name. Make it where an event loop runs.

    It has batches and threads of its own, so that one that hangs holds up no other. `answers` is
    what its task does with a body (answers.Answers). All methods are for the event loop's thread.
    """

    def __init__(self, name, predictor, settings, metrics):
        self.name, self.settings = name, settings
        self.answers = answers_of(predictor, settings)
        self.predictor = self.answers.predictor
        self.decoders = Decoders(settings.workers)
        self.batcher = Batcher(
            lambda rows: self.predictor.raw(np.stack(rows)),
            self.answers.batch,
            settings.wait,
            metrics.observe_batches_of(name),
            self.answers.room,
        )
        self.unanswered = 0  # requests that have no answer yet
        self.answered = metrics.count_answers_of(name)
        metrics.in_hand_of.labels(name).set_function(lambda: self.in_hand)
        metrics.waiting_of.labels(name).set_function(lambda: len(self.batcher))
        metrics.ready_of.labels(name).set_function(lambda: not self.stuck)

    @property
    def in_hand(self):
        """Requests that have no answer yet, or whose decoding goes on after a 504."""
        return self.unanswered + self.decoders.given_up

    @property
    def stuck(self):
        """Whether a batch takes longer than an answer may."""
        return self.batcher.busy_seconds > self.settings.timeout

    async def run(self, rows):
        """What the graph gives for each of the `rows`, inputs of one sample: a list of arrays.

        It is the predictor's `output`, logits or probabilities; `logits` makes logits of it. The
        rows, which may have several shapes, wait with those of other requests; a batch has those of
        one shape. Raises what the network raises.
        """
        if len(rows) == 1:
            return [await self.batcher.submit(rows[0])]
        tasks = [asyncio.ensure_future(self.batcher.submit(row)) for row in rows]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:  # where one failed, or nobody waits any more
                task.cancel()

    def logits(self, outputs):
        """What the graph gave, as logits."""
        return outputs if self.predictor.output == "logits" else logits_of(outputs)

    async def decode(self, function, *args):
        """What `function(*args)` returns, called in one of the model's threads.

        Raises Refusal, 400, where it raises InputError, for that is of what was sent; 500 where
        the network's outputs are no good.
        """
        try:
            return await self.decoders.run(function, *args)
        except OutputError as error:
            raise Refusal(500, str(error)) from None
        except InputError as error:
            raise Refusal(400, str(error)) from None
        except NetworkFailed as error:
            raise error.__cause__ from None

    async def compute(self, function, *args):
        """`decode` for a `function(network, *args)` that calls the network in its thread.

        `network` maps a batch to logits as that of a `Predictor` does; its rows go through `run`.
        """
        network = NetworkOfAThread(self.run, self.logits)
        try:
            return await self.decode(function, network, *args)
        finally:
            network.close()

    async def warm_up(self):
        """Send a batch of the smallest and one of the largest size through the network."""
        row = self.answers.a_row()
        if row is not None:
            for number in (1, self.batcher.most(row)):
                await self.run([row] * number)

    async def close(self):
        """Stop the batches and let the threads end."""
        await self.batcher.close()
        self.decoders.close()
