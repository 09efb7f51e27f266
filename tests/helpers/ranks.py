"""Several trainings, one after the other, in the same processes of one `horovodrun`.

    horovodrun -np 2 python -m tests.helpers.ranks train.imagenet JSON

JSON is a list of command lines of that trainer. A start of two ranks takes ten seconds of
computing, most of it to import MXNet; Horovod can't be started twice in a process, so that all
trainings use its first start. Ends with 0 where each ended with 0; else with 2, once all are done.
"""

import importlib
import json
import sys

from train.engine import trainer
from train.engine.comm import make_comm


def share_horovod():
    """Give all trainings one start of Horovod; returns what leaves it in the end."""
    comm = make_comm()
    leave, comm.shutdown = comm.shutdown, lambda: None
    trainer.make_comm = lambda options=None: comm
    return leave


def main(module, command_lines):
    """Train as each of the command lines says; returns the exit code."""
    leave = share_horovod()
    train_one = importlib.import_module(module).main
    codes = [train_one(words) for words in json.loads(command_lines)]
    leave()
    return 2 if any(codes) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
