"""Train a classification network on labelled pictures in RecordIO, on one process or Horovod.

    horovodrun -np N python -m train.imagenet --config FILE --out DIR [--resume] [--set key=value]

DIR gets metrics.jsonl, summary.json and checkpoints/. A config's header says where its numbers
are from.
"""

import argparse
import dataclasses
import functools
import json
import os
import platform
import sys
from pathlib import Path

import mxnet as mx
import numpy as np

import gluon_glore
from gluon_glore.atomic import write_text
from gluon_glore.classify import read_names
from gluon_glore.errors import InputError
from gluon_glore.layers import freeze_norm
from gluon_glore.manifest import Manifest
from gluon_glore.weights import load_weights

from . import checkpoint, input, loop
from .comm import make_comm
from .config import load_config, to_dict
from .optimizer import make_optimizer, set_multipliers
from .precision import set_precision
from .records import BadRecord, RecordDataset
from .report import Reporter
from .schedule import learning_rate
from .step import make_step


def main(argv=None):
    """Train as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)
    comm = None
    try:
        config = load_config(args.config, args.set)
        net = gluon_glore.get_model(config.model.name, classes=config.model.classes)
        datasets = load_data(config, net.spec)
        comm = make_comm(config.horovod)
        train(config, net, datasets, Path(args.out), args.resume, comm)
    except InputError as error:
        # What every process of a host sees is said once.
        if isinstance(error, BadRecord) or os.environ.get("HOROVOD_LOCAL_RANK", "0") == "0":
            print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if comm:
        comm.shutdown()
    return 0


def parse_args(argv):
    parser = argparse.ArgumentParser(
        prog="python -m train.imagenet",
        description="Train a classification network; under horovodrun on several processes.",
    )
    parser.add_argument("--config", required=True, help="YAML file, see configs/")
    parser.add_argument("--out", required=True, help="directory of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as --set optim.lr=0.2"
    )
    return parser.parse_args(argv)


def load_data(config, spec):
    """Training and validation sets. Raises InputError where they do not fit the network."""
    data = config.data
    if len(data.mean) != spec.in_channels:
        raise InputError(
            f"config key data.mean: {spec.name} takes {spec.in_channels} channels, "
            f"given {len(data.mean)} means"
        )
    sets = [RecordDataset(path, config.model.classes) for path in (data.train, data.val)]
    input.steps_per_epoch(len(sets[0]), config.optim.batch_size)
    return sets


def class_names(config):
    """The class names in label order. Raises InputError where their number is not `classes`."""
    if not config.data.class_names:
        return [str(i) for i in range(config.model.classes)]
    names = read_names(config.data.class_names)
    if len(names) != config.model.classes:
        raise InputError(
            f"{config.data.class_names}: {config.model.classes} classes, given {len(names)} names"
        )
    return names


def train(config, net, datasets, out, resume, comm):
    """Train `net` to the end of the schedule and leave metrics, summary and checkpoints in `out`.

    Raises InputError where `out` holds another run, a checkpoint does not fit, or data is bad.
    """
    if config.optim.batch_size % comm.size:
        raise InputError(
            f"optim.batch_size {config.optim.batch_size} is not divisible by {comm.size} processes"
        )
    share = config.optim.batch_size // comm.size
    if share % config.optim.accumulate:
        raise InputError(
            f"optim.accumulate {config.optim.accumulate} does not divide the {share} pictures of "
            f"each of {comm.size} processes"
        )
    if not resume and (out / "checkpoints").exists():
        raise InputError(f"{out} holds a run: give --resume, or another --out")
    manifest = Manifest(
        config.model.name, tuple(class_names(config)), input.make_preprocess(config.data)
    )
    ctx = mx.gpu(comm.local_rank) if mx.context.num_gpus() else mx.cpu()
    trainer, first_epoch = initialize(config, net, out, resume, comm, ctx)
    training_set, validation_set = datasets
    steps = input.steps_per_epoch(len(training_set), config.optim.batch_size)
    comm.agree("steps of an epoch", steps)
    comm.agree("validation pictures", len(validation_set))
    step = make_step(config, net, comm)
    epochs = config.optim.epochs

    rate = functools.partial(learning_rate, config.optim, steps_per_epoch=steps)

    with Reporter(out, comm, epochs, steps, first_epoch) as reporter:
        for epoch in range(first_epoch, epochs):
            batches = input.training_batches(training_set, config, epoch, comm.rank, comm.size)
            numbered = enumerate(batches, start=epoch * steps)
            loop.train_one_epoch(
                net, trainer, numbered, comm, ctx, rate, config.log_every, reporter.train, step
            )
            loop.average_statistics(net, comm)
            validate(net, validation_set, config, comm, ctx, reporter, epoch)
            if comm.rank == 0:
                done = dataclasses.replace(manifest, epoch=epoch + 1)
                checkpoint.save_checkpoint(out, net, trainer, done)
        if first_epoch == epochs:
            validate(net, validation_set, config, comm, ctx, reporter, epochs - 1)

    if comm.rank == 0:
        summary = {
            "model": config.model.name,
            "top1": reporter.top1,
            "images_per_second": reporter.images_per_second,
            "epochs": epochs,
            "processes": comm.size,
            "config": to_dict(config),
            "versions": {
                "gluon_glore": gluon_glore.__version__,
                "mxnet": mx.__version__,
                "numpy": np.__version__,
                "python": platform.python_version(),
            },
        }
        write_text(out / "summary.json", json.dumps(summary, indent=2) + "\n")
        print(f"{config.model.name}: top-1 {reporter.top1:.4f} on {config.data.val}; {out}")


def validate(net, dataset, config, comm, ctx, reporter, epoch):
    """Evaluate over all ranks and report."""
    batches = input.evaluation_batches(dataset, config, comm.rank, comm.size)
    meter = loop.evaluate(net, batches, comm, ctx)
    if meter.samples != len(dataset):
        raise RuntimeError(f"evaluated {meter.samples} of {len(dataset)} samples")
    reporter.evaluation(epoch, meter)


def initialize(config, net, out, resume, comm, ctx):
    """Initial or restored weights and momentum, alike on all ranks; returns (trainer, epoch)."""
    set_precision(config.optim.precision)
    mx.random.seed(config.seed)
    np.random.seed(config.seed)
    net.initialize(ctx=ctx)
    if config.model.freeze_norm:
        freeze_norm(net)
    if config.model.pretrained:
        fresh = net.output.collect_params() if config.model.new_classifier else ()
        load_weights(net, config.model.pretrained, fresh=fresh)
    set_multipliers(net.collect_params(), config.optim)
    trainer = comm.trainer(net.collect_params(), make_optimizer(config.optim))
    epoch = 0
    if resume:
        epoch = checkpoint.restore_newest(out, net, trainer)
    comm.broadcast(param.data(ctx) for param in net.collect_params().values())
    comm.broadcast(checkpoint.momentum_of(trainer).values())
    net.hybridize(static_alloc=True, static_shape=True)
    return trainer, epoch


if __name__ == "__main__":
    sys.exit(main())
