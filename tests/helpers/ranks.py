"""Several trainings, one after the other, in the same processes of one `horovodrun`.

    horovodrun -np 2 python -m tests.helpers.ranks train.imagenet FOLDER JSON

JSON is a list of command lines of that trainer. A start of two ranks takes ten seconds of
computing, most of it to import MXNet; Horovod can't be started twice in a process, so that all
trainings use its first start. What a rank says in a training is in FOLDER, `said`; its exit code
too, `ended`. Ends with 0 where each ended with 0; else with 2, once all are done.
"""

import contextlib
import importlib
import json
import os
import sys
from pathlib import Path

from train.engine import trainer
from train.engine.comm import make_comm


def share_horovod():
    """Give all trainings one start of Horovod; returns what leaves it in the end."""
    comm = make_comm()
    leave, comm.shutdown = comm.shutdown, lambda: None
    trainer.make_comm = lambda options=None: comm
    return leave


def main(module, folder, command_lines):
    """Train as each of the command lines says; returns the exit code."""
    leave, rank = share_horovod(), os.environ["HOROVOD_RANK"]
    train_one = importlib.import_module(module).main
    codes = []
    for number, words in enumerate(json.loads(command_lines)):
        with open(said(folder, number, rank), "w") as errors, contextlib.redirect_stderr(errors):
            codes.append(train_one(words))
        sys.stderr.write(said(folder, number, rank).read_text())
    ended(folder, rank).write_text(json.dumps(codes))
    leave()
    return 2 if any(codes) else 0


def said(folder, number, rank):
    """The file of a rank's stderr in a training."""
    return Path(folder) / f"said-{number}-{rank}.txt"


def ended(folder, rank):
    """The file of a rank's exit codes."""
    return Path(folder) / f"ended-{rank}.json"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
