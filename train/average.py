"""Average the weights of checkpoints into a run of one checkpoint, and score it.

    python -m train.average RUN --out FOLDER [--last N] [--precise-norm N] [--set key=value]
    python -m train.average RUN RUN CHECKPOINT --out FOLDER

Of one run: stochastic weight averaging (Izmailov et al. 2018, https://arxiv.org/abs/1803.05407). Of
several runs that started from the same weights: a uniform soup (Wortsman et al. 2022,
https://arxiv.org/abs/2203.05482); runs that started apart have no average worth having. BatchNorm's
running statistics are no average of statistics: they are measured anew for the averaged weights,
over batches that the first run trains on, and kept where `model.freeze_norm` keeps them.

FOLDER is what a run's directory is to `export`, `predict`, `publish`, `model.pretrained` and the
commands that evaluate; it can't be resumed. One process, on a GPU if there is.
"""

import dataclasses
import itertools
import json
import os
import sys
from pathlib import Path

import mxnet as mx
import numpy as np

from gluon_glore.networks.network import Network
from gluon_glore.networks.paper import list_models
from gluon_glore.utils.arguments import ArgumentParser, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.files import is_taken, new_folder, write_text
from gluon_glore.weights import save_weights, set_weights
from gluon_glore.weights.manifest import (
    MANIFEST,
    WEIGHTS,
    clip_of,
    labels_pixels,
    read_manifest,
    spec_of,
    write_manifest,
)
from gluon_glore.weights.names import plain_names
from gluon_glore.weights.network_file import read_arrays
from gluon_glore.weights.run_folder import checkpoint_name, checkpoints, position_of

from .cityscapes import Segmentation
from .config.load import load_config, to_dict
from .data.bad_records import BadRecords
from .engine.comm import LocalComm
from .engine.norm_statistics import measure_statistics
from .engine.scoring import place
from .imagenet import Classification
from .kinetics import Recognition
from .reporting.metrics import TITLES
from .reporting.runs import CONFIG_FILE, METRICS_FILE, write_config
from .reporting.versions import versions

ALIKE = ("model", "class_names", "preprocess", "clip")  # of manifests, beside the spec


def main(argv=None):
    """Average as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)
    return exit_code(lambda: run(args))


def parse_args(argv):
    """The options; --last is None for all checkpoints that a run has."""
    parser = ArgumentParser(prog="python -m train.average", description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="RUN", help="a run, or one of its checkpoints")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the average, a new folder")
    parser.add_argument("--last", type=positive_int, help="checkpoints of each run (all it has)")
    parser.add_argument(
        "--precise-norm",
        type=positive_int,
        default=100,
        metavar="N",
        help="batches that BatchNorm's statistics are measured over, at most an epoch's (100)",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as --set data.val=val.rec"
    )
    return parser.parse_args(argv)


def run(args):
    """Average, measure, evaluate and write. Raises InputError where anything can't be used."""
    if os.environ.get("HOROVOD_SIZE", "1") != "1":
        raise InputError("train.average runs on one process, without horovodrun")
    if is_taken(args.out):
        raise InputError(f"{args.out} is there already, the average needs a new folder")
    of_each = [chosen(model, args.last) for model in args.models]
    folders, newest = list(itertools.chain(*of_each)), of_each[0][-1]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise InputError("a checkpoint is given twice")
    if len(folders) < 2:
        raise InputError(
            f"{folders[0]}: one checkpoint, an average needs two; a run keeps checkpoint.keep of "
            "them and the best"
        )
    manifests = [read_manifest(folder) for folder in folders]
    check_alike(folders, manifests)
    manifest = manifests[folders.index(newest)]
    task, config = task_of(newest, manifest, args.set)
    comm = LocalComm()
    datasets = task.prepare(config, comm)[1]
    net = Network(spec_of(manifest), len(manifest.class_names))
    set_weights(net.collect_params(), mean_arrays(folders), folders[0] / WEIGHTS)
    bad = [BadRecords(dataset, comm, config.data.max_bad) for dataset in datasets]
    ctx = place(net, comm)
    if config.model.freeze_norm:
        print("BatchNorm's statistics are kept: model.freeze_norm", file=sys.stderr, flush=True)
    else:
        mx.random.seed(config.seed)
        loaded = task.training_batches(datasets[0], bad[0], config, manifest.epoch, 0, 1)
        first = itertools.islice(loaded, args.precise_norm)
        measure_statistics(net, first, comm, ctx, config.optim.accumulate)
    meter = task.evaluate(net, datasets[1], bad[1], config, comm, ctx, lambda: False)
    if not meter.samples:
        raise InputError(f"{datasets[1].path}: none of its samples can be read")
    score = task.metrics.score
    for folder, before in zip(folders, manifests):
        known = before.score is not None
        told = f"{TITLES[score]} {before.score:.4f} in its run" if known else "not evaluated"
        print(f"{folder}: {told}")
    print(f"average of {len(folders)}: {meter.text(4)} on {meter.samples} samples", flush=True)
    manifest = dataclasses.replace(manifest, score=float(meter.figures[score]))
    write(args.out, net, manifest, config, folders, meter)


def chosen(model, last):
    """The checkpoints that RUN stands for, oldest first: itself, or the newest `last` of a run.

    Raises InputError where there is none. A note says where a run has fewer.
    """
    path = Path(model)
    kept = checkpoints(path)
    if kept:
        if last and last > len(kept):
            print(
                f"{model}: {len(kept)} checkpoints, --last {last} asks for more: a run keeps "
                "checkpoint.keep of them and the best",
                file=sys.stderr,
            )
        return kept[-last:] if last else kept
    if not (path / MANIFEST).is_file() or position_of(path.resolve()) is None:
        raise InputError(f"{model}: neither a run nor a checkpoint of one")
    return [path]


def check_alike(folders, manifests):
    """Raise InputError, naming the first that differs, unless all are of one network and pixels."""
    first = {key: getattr(manifests[0], key) for key in ALIKE}
    for folder, manifest in zip(folders, manifests):
        differ = [key for key in ALIKE if getattr(manifest, key) != first[key]]
        if spec_of(manifest) != spec_of(manifests[0]):
            differ.append("network")
        if differ:
            raise InputError(
                f"{folder} has another {' and '.join(differ)} than {folders[0]}: averaged are "
                "checkpoints of one network, its classes and pixels alike"
            )


def task_of(folder, manifest, overrides):
    """The task of a checkpoint, and the configuration of its run with the `overrides`.

    Raises InputError where the run has none or it can't be used, or the network is none of this
    project's.
    """
    if spec_of(manifest) is None:
        raise InputError(f"{folder}: {manifest.model} is no network of this project")
    file = folder.resolve().parents[1] / CONFIG_FILE
    if not file.is_file():
        raise InputError(f"{folder}: no {CONFIG_FILE} beside the checkpoints, as a run has it")
    kinds = (Recognition, clip_of(manifest)), (Segmentation, labels_pixels(manifest))
    task = next((kind for kind, fits in kinds if fits), Classification)()
    config = load_config(file, overrides, task.config_class)
    if config.model.name in list_models():  # what the run started from need not be there any more
        model = dataclasses.replace(config.model, pretrained="", new_classifier=False)
        config = dataclasses.replace(config, model=model)
    return task, config


def mean_arrays(folders):
    """The mean of the weights of checkpoints, `{name: numpy float32}`, added up in float64.

    Raises InputError where they are not of the same names and shapes.
    """
    sums = None
    for folder in folders:
        arrays = plain_names(read_arrays(folder / WEIGHTS))
        shapes = {name: array.shape for name, array in arrays.items()}
        if sums is None:
            sums = {name: np.zeros(shape) for name, shape in shapes.items()}
        if shapes != {name: array.shape for name, array in sums.items()}:
            raise InputError(f"{folder / WEIGHTS}: other parameters than {folders[0] / WEIGHTS}")
        for name, array in arrays.items():
            sums[name] += array
    return {name: (array / len(folders)).astype(np.float32) for name, array in sums.items()}


def write(out, net, manifest, config, folders, meter):
    """Write the average as a run of one checkpoint, whole or not at all. Raises InputError."""
    figures = {"loss": meter.loss, **meter.figures}
    epoch = max(0, manifest.epoch - (0 if manifest.step else 1))
    row = {"kind": "eval", "epoch": epoch, **figures}
    row.update(samples=meter.samples, seconds=meter.seconds)
    summary = {
        "model": manifest.model,
        "averaged": [str(folder) for folder in folders],
        **figures,
        "config": to_dict(config),
        "versions": versions(),
    }
    with new_folder(out) as new:
        checkpoint = new / "checkpoints" / checkpoint_name(manifest.epoch, manifest.step)
        checkpoint.mkdir(parents=True)
        save_weights(net, checkpoint / WEIGHTS)
        write_manifest(checkpoint, manifest, [WEIGHTS])
        write_config(new, to_dict(config))
        write_text(new / METRICS_FILE, json.dumps(row) + "\n")
        write_text(new / "summary.json", json.dumps(summary, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
