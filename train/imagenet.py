"""Train a classification network on labelled pictures in RecordIO, on one process or Horovod.

    horovodrun -np N python -m train.imagenet --config FILE --out DIR [--resume] [--set key=value]

DIR gets config.yaml (the whole configuration, fit for --config), metrics.jsonl (a row a log and an
evaluation), checkpoints/, at the end summary.json and curves.png, and with `tensorboard: true` the
folder tensorboard/. `python -m train.report DIR...` compares runs. A config's header says where its
numbers are from.
"""

import argparse
import functools
import math
import os
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from tqdm import tqdm

import gluon_glore
from gluon_glore.errors import InputError
from gluon_glore.image import decode_image
from gluon_glore.layers import freeze_norm
from gluon_glore.load import read_names
from gluon_glore.manifest import Manifest, checkpoints
from gluon_glore.models import found_spec
from gluon_glore.network import Network
from gluon_glore.registry import unregistered
from gluon_glore.weights import load_weights
from gluon_glore.weights.store import find_weights

from . import checkpoint, input, loop, saver
from .bad_records import BadRecords
from .comm import Elsewhere, Here, make_comm, together
from .config import load_config
from .optimizer import make_optimizer, set_multipliers
from .precision import set_precision
from .preflight import check_out, check_records
from .progress import Reporter
from .records import RecordDataset
from .rewind import rewind_metrics
from .runs import METRICS
from .schedule import learning_rate
from .step import make_step
from .stop import STOPPED, StopFlag, Stopped
from .tensorboard import require_tensorboard


def main(argv=None):
    """Train as the command line says.

    Returns the exit code: 0, 2 for what can't be used, 75 for a run that was stopped and has saved.
    """
    args = parse_args(argv)
    comm, code = None, 0
    try:
        config = load_config(args.config, args.set)
        comm = make_comm(config.horovod)
        out = Path(args.out)
        net, datasets = together(comm, lambda: prepare(config, out, comm))
        train(config, net, datasets, out, args.resume, comm)
    except InputError as error:
        # What all ranks find is said once, by the first of each host.
        first = os.environ.get("HOROVOD_LOCAL_RANK", "0") == "0"
        if isinstance(error, Here) or first and not isinstance(error, Elsewhere):
            print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except Stopped as stopped:
        code = STOPPED
        if comm.rank == 0:
            print(f"stopped: {stopped}; --resume goes on from there", file=sys.stderr)
    if comm:
        comm.shutdown()
    return code


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
    net = make_network(config.model)
    datasets = load_data(config, net.spec)
    class_names(config)
    if config.tensorboard:
        require_tensorboard()
    if comm.rank == 0:
        preprocess = input.make_preprocess(config.data)
        decode = functools.partial(decode_image, channels=preprocess.channels)
        check_records(datasets[0], decode, config.data.max_bad)
        check_records(datasets[1], lambda data: preprocess(decode(data)), config.data.max_bad)
        check_out(out, net, config.checkpoint.keep)
    return net, datasets


def make_network(model):
    """The network, as its pretrained weights have it where there are any. Raises InputError."""
    if not model.pretrained:
        return gluon_glore.get_model(model.name, classes=model.classes)
    return Network(found_spec(model.name, pretrained(model)), model.classes)


def pretrained(model):
    """Where the weights to start from lie. Of the processes of a host one downloads them."""
    return find_weights(model.name, model.pretrained == "zoo" or model.pretrained)


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

    Raises InputError where `out` holds another run or can't be written, a checkpoint does not fit,
    or data is bad; Stopped where SIGTERM or SIGINT asked for an end and all is saved.
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
    if not resume and checkpoints(out):
        raise InputError(f"{out} holds a run: give --resume, or another --out")
    for dataset in datasets:
        dataset.bad = BadRecords(dataset, config.data.max_bad, comm, out / "bad_records.txt")
    training_set, validation_set = datasets
    steps = input.steps_per_epoch(len(training_set), config.optim.batch_size)
    comm.agree("steps of an epoch", steps)
    comm.agree("validation pictures", len(validation_set))
    epochs = config.optim.epochs
    manifest = Manifest(
        config.model.name,
        tuple(class_names(config)),
        input.make_preprocess(config.data),
        order=input.order(training_set, config),
        spec=unregistered(net.spec, config.model.name),
    )
    ctx = mx.gpu(comm.local_rank) if mx.context.num_gpus() else mx.cpu()
    trainer, start = initialize(config, net, out, resume, comm, ctx, manifest.order)
    take = make_step(config, net, comm)
    first_epoch, first_step = start
    finished = first_epoch >= epochs
    begin = epochs * steps if finished else first_epoch * steps + first_step
    # A finished run tells its last evaluation once more, any other all from its first step on.
    told = (first_epoch - 1, math.inf) if finished else (first_epoch, begin)
    saver.on_rank_0(comm, lambda: rewind_metrics(out / METRICS, *told))

    rate = functools.partial(learning_rate, config.optim, steps_per_epoch=steps)

    with Reporter(out, comm, config, steps, begin) as reporter, StopFlag() as stop:
        save = saver.Saver(out, net, trainer, manifest, start, config.checkpoint, steps, comm, stop)
        for epoch in range(first_epoch, epochs):
            done = first_step if epoch == first_epoch else 0
            batches = input.training_batches(
                training_set, config, epoch, comm.rank, comm.size, start=done
            )
            numbered = enumerate(reporter.watch(batches), start=epoch * steps + done)
            loop.train_one_epoch(
                net,
                trainer,
                numbered,
                comm,
                ctx,
                rate,
                config.log_every,
                reporter.train,
                take,
                save.after_step,
            )
            loop.average_statistics(net, comm)
            meter = validate(net, validation_set, config, comm, ctx, stop)
            save.stop_if_asked(epoch, steps)
            report_evaluation(reporter, epoch, meter, validation_set, comm)
            save.save(epoch + 1, top1=float(meter.top1))
        if finished:
            meter = validate(net, validation_set, config, comm, ctx, stop)
            save.stop_if_asked(*start)
            report_evaluation(reporter, first_epoch - 1, meter, validation_set, comm)

    reporter.finish()


def validate(net, dataset, config, comm, ctx, stop):
    """Evaluate over all ranks, or a part of the set where a stop is asked for."""
    batches = input.evaluation_batches(
        dataset, config, comm.rank, comm.size, stop=lambda: stop.asked
    )
    return loop.evaluate(net, batches, comm, ctx)


def report_evaluation(reporter, epoch, meter, dataset, comm):
    """Report a whole evaluation, and what was left out of it."""
    left_out = len(dataset.bad.known)
    if meter.samples != len(dataset) - left_out:
        raise RuntimeError(f"evaluated {meter.samples} of {len(dataset)} samples")
    if left_out and comm.rank == 0:
        note = f"evaluated {meter.samples} of {len(dataset)} samples, {left_out} are bad"
        tqdm.write(note, file=sys.stderr)
    reporter.evaluation(epoch, meter)


def initialize(config, net, out, resume, comm, ctx, order):
    """Initial or restored weights and momentum, alike on all ranks.

    Returns the trainer and `(epochs, steps of the next)` done.
    """
    set_precision(config.optim.precision)
    mx.random.seed(config.seed)
    np.random.seed(config.seed)
    net.initialize(ctx=ctx)
    if config.model.freeze_norm:
        freeze_norm(net)
    if config.model.pretrained:
        fresh = net.output.collect_params() if config.model.new_classifier else ()
        load_weights(net, pretrained(config.model).params, fresh=fresh)
    set_multipliers(net.collect_params(), config.optim)
    trainer = comm.trainer(net.collect_params(), make_optimizer(config.optim))
    done = (0, 0)
    if resume:
        done = checkpoint.restore_newest(out, net, trainer, order)
    comm.broadcast(param.data(ctx) for param in net.collect_params().values())
    comm.broadcast(checkpoint.momentum_of(trainer).values())
    net.hybridize(static_alloc=True, static_shape=True)
    return trainer, done


if __name__ == "__main__":
    sys.exit(main())
