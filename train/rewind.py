"""metrics.jsonl taken back to a checkpoint, so that a resumed run tells no step twice."""

import contextlib
import json
import math

from gluon_glore.atomic import write_text


def rewind_metrics(path, epoch, step):
    """Drop the rows from step `step` of the run, in epoch `epoch`, on.

    An epoch's evaluation comes at step infinity. A row that a kill cut off goes too. A missing
    file is fine.
    """
    with contextlib.suppress(FileNotFoundError):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = "".join(line for line in lines if _place(line) < (epoch, step))
        if kept != "".join(lines):
            write_text(path, kept)


def _place(line):
    """(epoch, step) of a row. One without an epoch belongs to the whole run, half a row nowhere."""
    if not line.endswith("}\n"):
        return math.inf, math.inf
    row = json.loads(line)
    return row.get("epoch", -1), row.get("step", math.inf)
