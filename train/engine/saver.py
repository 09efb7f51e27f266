"""When a run saves: every so many steps, after an evaluation, and where it is asked to stop.

Every rank calls alike, rank 0 writes, and all go on or fail together.
"""

import dataclasses

from gluon_glore.utils.errors import naming

from . import checkpoint
from .comm import together
from .stop import Stopped


class Saver:
    """Saves the run of a `Learner` at `(epoch, step)`: epochs done, and steps done of the next.

    `manifest` is that of the checkpoints but for epoch, step and score; `start` is where the run
    starts, `options` a `Checkpoint` configuration, `steps` the number of an epoch's steps, `stop` a
    `StopFlag`.
    """

    def __init__(self, out, learner, manifest, start, options, steps, stop):
        self._out, self._learner, self._manifest = out, learner, manifest
        self._options, self._steps, self._stop = options, steps, stop
        self._comm = learner.comm
        self._saved = start

    def after_step(self, step):
        """After training step `step` of the run. Raises Stopped where a stop was asked for."""
        epoch = step // self._steps
        done = step + 1 - epoch * self._steps
        if self._options.every and (step + 1) % self._options.every == 0:
            self.save(epoch, done)
        self.stop_if_asked(epoch, done)

    def stop_if_asked(self, epoch, step):
        """Save and raise Stopped where any rank was asked to stop."""
        if self._stop.agreed(self._comm):
            self.save(epoch, step)
            raise Stopped(f"{self._out}: saved after {epoch} epochs and {step} steps")

    def save(self, epoch, step=0, score=None):
        """Save, unless this is what was saved last; `score` is that of its evaluation.

        What was saved before it was evaluated is saved again. Raises InputError where the disk
        refuses.
        """
        if score is None and (epoch, step) == self._saved:
            return
        # In place: the run that goes on and the one that is resumed from here hold the same.
        self._learner.share_statistics()
        manifest = dataclasses.replace(self._manifest, epoch=epoch, step=step, score=score)
        on_rank_0(
            self._comm,
            lambda: checkpoint.save_checkpoint(
                self._out,
                self._learner.net,
                self._learner.trainer,
                manifest,
                self._options.keep,
                self._learner.average,
            ),
        )
        self._saved = (epoch, step)


def on_rank_0(comm, write):
    """Call `write()` on rank 0. Where it can't, all ranks raise InputError: none waits for it."""

    def check():
        if comm.rank == 0:
            with naming("the run's folder"):
                write()

    together(comm, check, elsewhere="rank {} could not write, see its error")
