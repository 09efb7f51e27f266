"""Train a classification network on labelled pictures in RecordIO, on one process or Horovod.

    horovodrun -np N python -m train.imagenet --config FILE --out DIR [--resume] [--set key=value]

DIR gets config.yaml (the whole configuration, fit for --config), metrics.jsonl (a row a log and an
evaluation), checkpoints/, at the end summary.json and curves.png, and with `tensorboard: true` the
folder tensorboard/. `python -m train.report DIR...` compares runs. A config's header says where its
numbers are from.
"""

import argparse
import dataclasses
import functools
import os
import sys
from pathlib import Path

import mxnet as mx
import numpy as np

import gluon_glore
from gluon_glore.classify import read_names
from gluon_glore.errors import InputError
from gluon_glore.image import decode_image
from gluon_glore.layers import freeze_norm
from gluon_glore.manifest import Manifest

from . import checkpoint, input, loop
from .comm import make_comm
from .config import load_config
from .preflight import Elsewhere, Here, check_out, check_records, together
from .progress import Reporter
from .records import BadRecord, RecordDataset
from .schedule import learning_rate
from .tensorboard import require_tensorboard


def main(argv=None):
    """Train as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)
    comm = None
    try:
        config = load_config(args.config, args.set)
        comm = make_comm()
        out = Path(args.out)
        net, datasets = together(comm, lambda: prepare(config, out, comm))
        train(config, net, datasets, out, args.resume, comm)
    except InputError as error:
        # What all ranks find is said once, by the first of each host.
        first = os.environ.get("HOROVOD_LOCAL_RANK", "0") == "0"
        alone = isinstance(error, (BadRecord, Here))
        if alone or first and not isinstance(error, Elsewhere):
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
        epilog="The directory of a run holds config.yaml, metrics.jsonl and checkpoints/, at its "
        "end summary.json and curves.png, and with `tensorboard: true` the folder tensorboard/. "
        "`python -m train.report RUN...` compares runs.",
    )
    parser.add_argument("--config", required=True, help="YAML file, see configs/")
    parser.add_argument("--out", required=True, help="directory of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as --set optim.lr=0.2"
    )
    return parser.parse_args(argv)


def prepare(config, out, comm):
    """The network, and (training, validation) sets, after all that can be checked beforehand.

    Raises InputError. Rank 0 alone tries the records and the disk: the others would do the same.
    """
    net = gluon_glore.get_model(config.model.name, classes=config.model.classes)
    datasets = load_data(config, net.spec)
    class_names(config)
    if config.tensorboard:
        require_tensorboard()
    if comm.rank == 0:
        preprocess = input.make_preprocess(config.data)
        decode = functools.partial(decode_image, channels=preprocess.channels)
        check_records(datasets[0], decode)
        check_records(datasets[1], lambda data: preprocess(decode(data)))
        check_out(out, net)
    return net, datasets


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
    if not resume and (out / "checkpoints").exists():
        raise InputError(f"{out} holds a run: give --resume, or another --out")
    manifest = Manifest(
        config.model.name, tuple(class_names(config)), input.make_preprocess(config.data)
    )
    ctx = mx.gpu(comm.local_rank) if mx.context.num_gpus() else mx.cpu()
    trainer, first_epoch = initialize(config, net, out, resume, comm, ctx)
    training_set, validation_set = datasets
    steps = input.steps_per_epoch(len(training_set), config.optim.batch_size)
    epochs = config.optim.epochs

    rate = functools.partial(learning_rate, config.optim, steps_per_epoch=steps)

    with Reporter(out, comm, config, steps, first_epoch * steps) as reporter:
        for epoch in range(first_epoch, epochs):
            batches = input.training_batches(training_set, config, epoch, comm.rank, comm.size)
            numbered = enumerate(reporter.watch(batches), start=epoch * steps)
            loop.train_one_epoch(
                net, trainer, numbered, comm, ctx, rate, config.log_every, reporter.train
            )
            loop.average_statistics(net, comm)
            validate(net, validation_set, config, comm, ctx, reporter, epoch)
            if comm.rank == 0:
                done = dataclasses.replace(manifest, epoch=epoch + 1)
                checkpoint.save_checkpoint(out, net, trainer, done)
        if first_epoch == epochs:
            validate(net, validation_set, config, comm, ctx, reporter, epochs - 1)

    reporter.finish()


def validate(net, dataset, config, comm, ctx, reporter, epoch):
    """Evaluate over all ranks and report."""
    batches = input.evaluation_batches(dataset, config, comm.rank, comm.size)
    meter = loop.evaluate(net, batches, comm, ctx)
    if meter.samples != len(dataset):
        raise RuntimeError(f"evaluated {meter.samples} of {len(dataset)} samples")
    reporter.evaluation(epoch, meter)


def initialize(config, net, out, resume, comm, ctx):
    """Initial or restored weights and momentum, alike on all ranks; returns (trainer, epoch)."""
    mx.random.seed(config.seed)
    np.random.seed(config.seed)
    net.initialize(ctx=ctx)
    if config.model.freeze_norm:
        freeze_norm(net)
    optimizer = mx.optimizer.SGD(
        momentum=config.optim.momentum, wd=config.optim.weight_decay, learning_rate=config.optim.lr
    )
    trainer = comm.trainer(net.collect_params(), optimizer)
    epoch = 0
    if resume:
        epoch = checkpoint.restore_newest(out, net, trainer)
    comm.broadcast(param.data(ctx) for param in net.collect_params().values())
    comm.broadcast(checkpoint.momentum_of(trainer).values())
    net.hybridize(static_alloc=True, static_shape=True)
    return trainer, epoch


if __name__ == "__main__":
    sys.exit(main())
