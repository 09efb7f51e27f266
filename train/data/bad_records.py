"""Records that can't be used: skipped, named once, bounded, and known to all ranks alike."""

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gluon_glore.utils.errors import InputError

from ..engine.comm import LocalComm


class BadRecords:
    """The bad records of a `RecordDataset`; more than a share of its records end the run.

    `known`, a set of indices, is the same on all ranks of `comm`. Rank 0 names each once, on
    stderr and as a line of the file `log`. `max_share` is of the whole set.
    """

    def __init__(self, dataset, max_share=0.0, comm=None, log=None):
        self.known = set()
        self._dataset = dataset
        self._max_share = max_share
        self._limit = int(max_share * len(dataset) + 1e-9)  # 0.29 of 100 is 29, not 28
        self._comm = comm or LocalComm()
        self._log = log and Path(log)
        self._met = {}  # index: what is wrong, as far as this rank has seen

    def meet(self, index, error):
        """This rank can't use record `index`; the threads that load say so."""
        self._met[index] = str(error)

    @property
    def hopeless(self):
        """Whether this rank has met more than are allowed: looking for a good one is in vain."""
        return len(self._met) > self._limit

    def agree(self, indices, bad, attempt, gave_up=False):
        """Tell all ranks what each has found; every rank calls this at the same point.

        `bad[i]` is 1 where this rank found record `indices[i]` bad, and `indices` is alike on all
        ranks. `attempt(index)` tries to use a record and has it meet its error, for the reason of
        what other ranks found. `gave_up`: this rank found no good record in the place of a bad
        one. Raises InputError, on all ranks, where one gave up or more are bad than allowed.
        """
        *found, failed = self._comm.sum([*bad, gave_up])
        new = {int(i) for i in np.asarray(indices)[np.asarray(found) > 0]} - self.known
        self.known |= new
        if new and self._comm.rank == 0:
            self._name([self._reason(index, attempt) for index in sorted(new)])
        if failed or len(self.known) > self._limit:
            example = self._reason(min(self.known), attempt)
            raise InputError(
                f"{self._dataset.path}: more than {self._limit} of {len(self._dataset)} records "
                f"are bad (data.max_bad {self._max_share:g}), as {example}"
            )

    def _name(self, lines):
        for line in lines:
            tqdm.write(f"skipped {line}", file=sys.stderr)  # beside a progress bar, not into it
        if self._log:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with open(self._log, "a+", encoding="utf-8") as file:
                file.seek(0)
                named = set(file.read().splitlines())  # by the run that this one resumes
                file.writelines(f"{line}\n" for line in lines if line not in named)

    def _reason(self, index, attempt):
        if index not in self._met:
            attempt(index)
        # It may be readable here: another host's copy of the file is damaged.
        return self._met.get(index, f"{self._dataset.name(index)}: bad on another process")
