"""A run's folder, read back: its configuration and the rows of metrics.jsonl."""

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import List

import yaml

from gluon_glore.errors import InputError, naming

CONFIG = "config.yaml"
METRICS = "metrics.jsonl"
# What each kind of row has; the first counts the rows.
KEYS = {"train": ("step", "epoch", "loss", "top1", "lr"), "eval": ("epoch", "loss", "top1")}


@dataclass(frozen=True)
class Run:
    """`name` as the folder was given, `config` as nested dictionaries; rows in order.

    `steps` are the rows of training, `evaluations` one an epoch. A step or epoch that was done
    twice, before and after a resume, counts as done last.
    """

    name: str
    config: dict
    steps: List[dict]
    evaluations: List[dict]

    def training_by_epoch(self):
        """The training rows' means by epoch: epoch, loss, top1, lr."""
        epochs = {}
        for row in self.steps:
            epochs.setdefault(row["epoch"], []).append(row)
        return [
            {"epoch": epoch}
            | {key: statistics.fmean(row[key] for row in rows) for key in ("loss", "top1", "lr")}
            for epoch, rows in sorted(epochs.items())
        ]

    def figures(self):
        """What came of it; None for what is not known (yet).

        `top1` and `top5` are the last evaluation's, `best_*` those of the evaluation with the
        highest top-1, `best_epoch` counts from 1. `seconds` of training and evaluation, start and
        checkpoints left out; `images_per_second` over all processes and `waiting`, the share of
        time without a batch to compute, are of training alone.
        """
        last = self.evaluations[-1] if self.evaluations else {}
        best = max(self.evaluations, key=lambda row: row["top1"], default={})
        timed = [row for row in self.steps if row.get("seconds")]
        trained = sum(row["seconds"] for row in timed)
        tested = sum(row.get("seconds", 0) for row in self.evaluations)
        images = sum(row["images_per_second"] * row["seconds"] for row in timed)
        waited = sum(row["waiting"] * row["seconds"] for row in timed)
        return {
            "top1": last.get("top1"),
            "top5": last.get("top5"),
            "best_top1": best.get("top1"),
            "best_top5": best.get("top5"),
            "best_epoch": best["epoch"] + 1 if best else None,
            "images_per_second": images / trained if trained else None,
            "waiting": waited / trained if trained else None,
            "seconds": trained + tested,
        }


def read_run(path) -> Run:
    """Read a run's folder, of a run that goes on or was killed too.

    Raises InputError where there is no run in it, or its files are damaged.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(f"{path}: no such directory")
    try:
        config = yaml.safe_load((path / CONFIG).read_text(encoding="utf-8"))
        config["model"]["name"], config["model"]["classes"], config["data"]["size"]
    except OSError as error:
        raise InputError(f"{path}: no run in it, {CONFIG}: {error.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError):
        raise InputError(f"{path / CONFIG}: damaged") from None
    steps, evaluations = read_metrics(path / METRICS)
    return Run(str(path), config, steps, evaluations)


def read_metrics(path):
    """The rows of a metrics.jsonl: (training steps, evaluations), each in order.

    A last line without its end is what a killed run leaves, and left out. Raises InputError where
    there is no row, or naming the line that is damaged.
    """
    with naming(path):
        *lines, _ = path.read_bytes().split(b"\n")
    rows = {"train": {}, "eval": {}}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            counter, *others = KEYS[row["kind"]]
            sum(row[key] for key in others)  # they are there, and numbers
            rows[row["kind"]][row[counter]] = row
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path} line {number}: damaged") from None
    if not lines:
        raise InputError(f"{path}: no whole line in it")
    return tuple([row for _, row in sorted(rows[kind].items())] for kind in ("train", "eval"))
