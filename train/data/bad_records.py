"""Records that can't be used: skipped, named once, bounded, and known to all ranks alike."""

import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from gluon_glore.data.records import WrongLabel
from gluon_glore.utils.errors import InputError


class BadRecords:
    """The bad records of a data set; more than a share of its records end the run.

    `known`, a set of indices, is the same on all ranks of `comm`. Rank 0 names each once, on
    stderr and as a line of the file `log`. `max_share` is of the whole set; 0 lets none pass.

    A data set has a length, `path` and `name(index)` for messages.
    """

    def __init__(self, dataset, comm, max_share=0.0, log=None):
        self.known = set()
        self._dataset = dataset
        self._comm = comm
        self._max_share = max_share
        self._limit = int(max_share * len(dataset) + 1e-9)  # 0.29 of 100 is 29, not 28
        self._log = log and Path(log)
        self._reasons = {}  # by index: why, of the records that this rank could not use
        self._wrong = None  # the index of the first whose label no class has

    def meet(self, index, error):
        """Note that this rank can't use record `index`; any thread that loads may call it.

        A WrongLabel is no bad record but an error of the set: it ends the run.
        """
        self._reasons[index] = str(error)
        if isinstance(error, WrongLabel) and self._wrong is None:
            self._wrong = index

    @property
    def wrong_label(self):
        """Whether this rank has met a label that no class has, which ends the run."""
        return self._wrong is not None

    @property
    def hopeless(self):
        """Whether this rank has met more than are allowed: looking for a good one is in vain."""
        return len(self._reasons) > self._limit

    def agree(self, indices, bad, attempt, gave_up=False):
        """Tell all ranks what each has found; every rank calls this at the same point.

        `bad[i]` is 1 where this rank found record `indices[i]` bad, and `indices` is alike on all
        ranks. `attempt(index)` tries to use a record and calls `meet` where it fails: rank 0 so
        learns the reason for what only another rank has tried. `gave_up`: this rank found no good
        record in the place of a bad one. Raises InputError, on all ranks, where one gave up or has
        met a wrong label, or more are bad than allowed.
        """
        wrong = np.zeros(self._comm.size)  # 1 + the index, of each rank
        wrong[self._comm.rank] = 0 if self._wrong is None else 1 + self._wrong
        sums = self._comm.sum([*bad, gave_up, *wrong])
        found, failed, wrong = sums[: len(bad)], sums[len(bad)], sums[len(bad) + 1 :]
        if wrong.any():
            raise WrongLabel(self._reason(int(wrong[wrong > 0][0]) - 1, attempt))
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
        """Print new bad records, and write down those that the log does not have yet."""
        for line in lines:
            tqdm.write(f"skipped {line}", file=sys.stderr)  # beside a progress bar, not into it
        if self._log:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with open(self._log, "a+", encoding="utf-8") as file:
                file.seek(0)
                named = set(file.read().splitlines())  # by the run that this one resumes
                file.writelines(f"{line}\n" for line in lines if line not in named)

    def _reason(self, index, attempt):
        """Why a record is bad, with its name."""
        if index not in self._reasons:
            attempt(index)
        # It may be readable here: another host's copy of the file is damaged.
        return self._reasons.get(index, f"{self._dataset.name(index)}: bad on another process")
