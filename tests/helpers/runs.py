"""Training runs: started, stopped, read back."""

import dataclasses
import json
import os
import signal

import numpy as np

from gluon_glore.weights import load_arrays
from gluon_glore.weights.run_folder import checkpoints
from tests.helpers.places import ROOT
from train.config.network import model_spec
from train.imagenet import main
from train.reporting.reporter import Reporter

CONFIG = str(ROOT / "configs/digit_pairs.yaml")


def options(settings, *more):
    return [word for setting in (*settings, *more) for word in ("--set", setting)]


def train(out, settings, *more):
    return main(["--config", CONFIG, "--out", str(out), *options(settings), *more])


def rows(out):
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def weights(out):
    path = checkpoints(out)[-1]
    return {
        f"{file}:{name}": array.asnumpy()
        for file in ("weights.params", "momentum.params")
        for name, array in load_arrays(path / file).items()
    }


def state(out):
    """All arrays of the newest checkpoint of a run with an average."""
    training = load_arrays(checkpoints(out)[-1] / "training.params")
    return {**weights(out), **{f"training:{k}": v.asnumpy() for k, v in training.items()}}


def same(one, other):
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def call_at(step, action):
    """Call `action()` after the given training step, counted from 0 over the run."""
    tell = Reporter.train

    def train(self, at, *rest):
        tell(self, at, *rest)
        if at == step:
            action()

    return train


def with_dropout(model):
    """`model_spec`, but of a network that draws random numbers at each step."""
    return dataclasses.replace(model_spec(model), dropout=0.5)


def crash():
    """End as a killed run does: nothing is saved."""
    raise KeyboardInterrupt


def scene_options(root, *more):
    """The command line of train.cityscapes but for --out: two epochs of scenes in `root`."""
    settings = [f"data.root={root}", "data.size=[32, 40]", "optim.batch_size=4", *more]
    words = options(["optim.epochs=2", "log_every=1", *settings])
    return ["--config", str(ROOT / "configs/camvid.yaml"), *words]


def video_options(data, *more):
    """The command line of train.kinetics but for --out: two epochs of the videos in `data`."""
    settings = [f"data.train={data}/train", f"data.val={data}/val", "optim.batch_size=4", *more]
    words = options(["optim.epochs=2", "log_every=1", *settings])
    return ["--config", str(ROOT / "configs/moving_digits.yaml"), *words]


def ask(number=signal.SIGTERM):
    os.kill(os.getpid(), number)


def story(out):
    """What a run told, but for its speed: no row twice, none missing, the same figures."""
    speed = ("images_per_second", "waiting", "seconds")
    return [{k: v for k, v in row.items() if k not in speed} for row in rows(out)]
