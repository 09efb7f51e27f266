"""Folders of runs that nothing trained."""

import json

import yaml


def step(number, epoch=0, **more):
    return {"kind": "train", "step": number, "epoch": epoch, "loss": 1.0, "top1": 0.5, **more}


def evaluation(epoch, top1, **more):
    return {"kind": "eval", "epoch": epoch, "loss": 0.5, "top1": top1, **more}


def write_run(folder, rows, model="tiny", **optim):
    """A run's folder as the trainer leaves it."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "model": {"name": model, "classes": 2},
        "data": {"size": [64, 64]},
        "optim": {"epochs": 3, **optim},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def rows():
    speed = {"lr": 0.1, "images_per_second": 100.0, "seconds": 3.0, "waiting": 0.1}
    slow = {"lr": 0.3, "images_per_second": 50.0, "seconds": 1.0, "waiting": 0.5}
    return [
        step(0, **speed),
        step(1, **slow),
        evaluation(0, 0.75, top5=0.9, seconds=2.0),
        step(2, epoch=1, **slow),
        evaluation(1, 0.5, top5=0.95, seconds=2.0),
    ]


def scene_rows():
    """Of a run of segmentation."""
    speed = {"lr": 0.1, "images_per_second": 10.0, "seconds": 1.0, "waiting": 0.0}
    counters = [("train", 0), ("train", 1), ("eval", 0), ("train", 2), ("eval", 1)]
    shares = [0.25, 0.75, 0.5, 1.0, 0.75]
    return [
        {"kind": kind, "epoch": n, "miou": share / 2, "accuracy": share, "loss": 1.0}
        if kind == "eval"
        else {"kind": kind, "step": n, "epoch": n // 2, "accuracy": share, "loss": 2.0, **speed}
        for (kind, n), share in zip(counters, shares)
    ]
