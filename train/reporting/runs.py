"""A run's folder, read back: its configuration and the rows of metrics.jsonl.

A resumed run cuts off the rows of what it does again (`rewind_metrics`).
"""

import itertools
import math
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import List

import yaml

from gluon_glore.utils import kinds
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.files import absent, atomic_path, open_file, read_text, write_text
from gluon_glore.utils.json_text import parse_json
from gluon_glore.utils.yaml_file import read_yaml
from gluon_glore.weights.run_folder import checkpoints

from .metrics import CLASSIFICATION, Metrics, metrics_of

CONFIG_FILE = "config.yaml"
METRICS_FILE = "metrics.jsonl"
# The keys of each kind of row beside its figures; rows are counted by the first.
KEYS = {"train": ("step", "epoch", "loss", "lr"), "eval": ("epoch", "loss")}
LARGEST = 2**30  # bytes of metrics.jsonl: five million rows
TIMES = ("seconds", "images_per_second", "waiting")
_COUNTER = kinds.whole(0, 2**53)


@dataclass(frozen=True)
class Run:
    """A run: the folder's `name` as it was given, and `config` as nested dictionaries.

    `steps` are the rows of training and `evaluations` those of evaluations, in order. Of a step or
    epoch that was done twice, before and after a resume, the later row counts.
    """

    name: str
    config: dict
    steps: List[dict]
    evaluations: List[dict]

    @property
    def metrics(self) -> Metrics:
        """The keys of its task's figures."""
        return metrics_of((self.steps + self.evaluations)[0])

    def training_by_epoch(self):
        """The means of the training rows by epoch: epoch, loss, `metrics.trained`, lr."""
        keys = ("loss", self.metrics.trained, "lr")
        epochs = {}
        for row in self.steps:
            epochs.setdefault(row["epoch"], []).append(row)
        return [
            {"epoch": epoch} | {key: statistics.fmean(row[key] for row in rows) for key in keys}
            for epoch, rows in sorted(epochs.items())
        ]

    def figures(self):
        """The results of the run; None for what is not known (yet).

        The task's figures (`top1` and `top5`, or `miou` and `accuracy`) are the last evaluation's,
        `best_*` those of the evaluation with the highest score; `best_epoch` counts from 1.
        `seconds` are of training and evaluation, without start and checkpoints.
        `images_per_second`, over all processes, and `waiting`, the share of time without a batch to
        compute, are of training alone.
        """
        metrics = self.metrics
        last = self.evaluations[-1] if self.evaluations else {}
        best = max(self.evaluations, key=lambda row: row[metrics.score], default={})
        timed = [row for row in self.steps if row.get("seconds")]
        trained = sum(row["seconds"] for row in timed)
        tested = sum(row.get("seconds", 0) for row in self.evaluations)
        images = sum(row["images_per_second"] * row["seconds"] for row in timed)
        waited = sum(row["waiting"] * row["seconds"] for row in timed)
        return {
            **{key: last.get(key) for key in metrics.tested},
            **{f"best_{key}": best.get(key) for key in metrics.tested},
            "best_epoch": best["epoch"] + 1 if best else None,
            "images_per_second": images / trained if trained else None,
            "waiting": waited / trained if trained else None,
            "seconds": trained + tested,
        }


def read_run(path) -> Run:
    """Read a run's folder, also of a run that is not finished or was killed.

    Raises InputError where there is no run in it, or its files are damaged.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: {absent(path, 'directory')}")
    if not (path / CONFIG_FILE).exists():
        raise InputError(f"{path}: no run in it, {CONFIG_FILE}: No such file or directory")
    config = read_config(path)
    try:
        config["model"]["name"], config["data"]["size"]
    except (KeyError, TypeError):
        raise InputError(f"{path / CONFIG_FILE}: damaged, no model.name or data.size") from None
    steps, evaluations = read_metrics(path / METRICS_FILE)
    run = Run(str(path), config, steps, evaluations)
    if run.metrics == CLASSIFICATION and "classes" not in config["model"]:
        raise InputError(f"{path / CONFIG_FILE}: damaged")
    return run


def read_config(path):
    """The configuration of a run's folder as nested dictionaries. Raises InputError."""
    file = Path(path) / CONFIG_FILE
    if not file.exists():
        raise InputError(f"{file}: No such file or directory")
    try:
        config = read_yaml(file)
    except InputError as error:
        reason = str(error).removeprefix(f"{file}: ")
        raise InputError(f"{file}: damaged, {reason}") from None
    if not isinstance(config, dict):
        raise InputError(f"{file}: damaged, no keys and values")
    return config


def write_config(path, config):
    """Write the configuration, a dictionary, of a run that begins or goes on.

    Where a run goes on with another one, that of the checkpoints so far is kept beside it, as
    config-0001.yaml and so on.
    """
    file, done = path / CONFIG_FILE, checkpoints(path)
    text = yaml.safe_dump(config, sort_keys=False)
    before = file.read_bytes() if done and file.exists() else text.encode()
    if before != text.encode():
        numbered = (path / f"{file.stem}-{i:04d}{file.suffix}" for i in itertools.count(1))
        note = f"# The run's configuration up to {done[-1].name}.\n".encode()
        with atomic_path(next(place for place in numbered if not place.exists())) as temporary:
            temporary.write_bytes(note + before)
    write_text(file, text)


def read_metrics(path):
    """The rows of a metrics.jsonl: (training steps, evaluations), each in order.

    A last line without its end, as a killed run leaves it, is left out. Raises InputError where
    there is no row, or naming the line that is damaged or another task's.
    """
    with open_file(path, LARGEST) as file:
        *lines, _ = file.read().split(b"\n")
    rows, metrics = {"train": {}, "eval": {}}, None
    for number, line in enumerate(lines, 1):
        try:
            row = parse_json(line)
            kind = row["kind"]
            counter, *others = KEYS[kind]
            metrics = metrics or metrics_of(row)
            _COUNTER.check(row[counter], counter)
            keys = [*others, metrics.key(kind), *(k for k in TIMES if row.get(k) is not None)]
            float(sum(row[key] for key in keys))  # they are there, and numbers
            rows[kind][row[counter]] = row
        except (ValueError, KeyError, TypeError, OverflowError):
            raise InputError(f"{path} line {number}: damaged") from None
    if not lines:
        raise InputError(f"{path}: no whole line in it")
    return tuple([row for _, row in sorted(rows[kind].items())] for kind in ("train", "eval"))


def rewind_metrics(path, epoch, step):
    """Delete the rows from `(epoch, step)` on, the step counted over the run.

    An epoch's evaluation counts as step infinity. A row that a kill cut short goes too. A missing
    file is fine. Raises InputError naming a line that is damaged.
    """
    if not path.exists():
        return
    lines = read_text(path, most=LARGEST).splitlines(keepends=True)
    kept = []
    for number, line in enumerate(lines, 1):
        try:
            before = _place(line) < (epoch, step)
        except (InputError, TypeError):
            raise InputError(f"{path} line {number}: damaged") from None
        if before:
            kept.append(line)
    if len(kept) < len(lines):
        write_text(path, "".join(kept))


def _place(line):
    """(epoch, step) of a row: the first of all without an epoch, the last of all for half a row."""
    if not line.endswith("}\n"):
        return math.inf, math.inf
    row = parse_json(line)
    return row.get("epoch", -1), row.get("step", math.inf)
