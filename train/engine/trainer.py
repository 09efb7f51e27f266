"""What all trainers share: the command line, and a run from its checks to its summary.

    horovodrun -np N python -m train.TASK --config FILE --out DIR [--resume] [--set key=value]

DIR gets config.yaml (the whole configuration, fit for --config), metrics.jsonl (a row a log and an
evaluation), checkpoints/, at the end summary.json and curves.png, and with `tensorboard: true` the
folder tensorboard/. `python -m train.report DIR...` compares runs.

A task says what is trained, and on what. It is an object with

    prog, description   of its command line
    config_class        its configuration, see `train.config.sections`
    measures            what its rows measure, see `train.reporting.metrics`
    prepare(config, comm) -> (network, (training set, validation set))
                        after all that can be checked beforehand; raises InputError. What all ranks
                        would find alike in the data rank 0 alone tries
    manifest(config, net)
                        what its checkpoints say of the network, a `Manifest`
    load_weights(config, net)
                        fills it with the weights that `model.pretrained` names
    make_step(config, net, comm)
                        how a step is taken, as `train.engine.step.make_step`
    training_batches(dataset, config, epoch, rank, ranks, start)
                        yields `(step's pixels, labels)` of a rank, see `train.data.batches`
    right(logits, labels) -> (B,)
                        the share of each sample that is right: `measures.trained`
    evaluate(net, dataset, config, comm, ctx, stop) -> `Meter`
                        with `measures.tested`, over all ranks; a part of it where `stop()` holds

and its data sets are as `train.data.batches` takes them.
"""

import argparse
import dataclasses
import functools
import itertools
import math
import os
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from tqdm import tqdm

from gluon_glore.layers.basic import freeze_norm
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.run_folder import checkpoints

from ..config.load import load_config
from ..data import batches
from ..data.bad_records import BadRecords
from ..reporting.reporter import Reporter
from ..reporting.runs import METRICS, rewind_metrics
from ..reporting.tensorboard import require_tensorboard
from . import checkpoint, loop, saver
from .comm import Elsewhere, Here, make_comm, together
from .norm_statistics import average_statistics, measure_statistics
from .optimizer import learning_rate, make_optimizer, set_multipliers
from .precision import set_precision
from .preflight import check_out
from .stop import STOPPED, StopFlag, Stopped


def run(task, argv=None):
    """Train as the command line says.

    Returns the exit code: 0, 2 for what can't be used, 75 for a run that was stopped and has saved.
    """
    args = parse_args(task, argv)
    comm, code = None, 0
    try:
        config = load_config(args.config, args.set, task.config_class)
        comm = make_comm(config.horovod)
        out = Path(args.out)
        net, datasets = together(comm, lambda: prepare(task, config, out, comm))
        train(task, config, net, datasets, out, args.resume, comm)
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


def parse_args(task, argv):
    """The options of a trainer of `task`, `set` a list of "KEY=VALUE"."""
    parser = argparse.ArgumentParser(
        prog=task.prog,
        description=task.description,
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


def prepare(task, config, out, comm):
    """The task's network and data sets, after all that can be checked beforehand.

    Raises InputError. Rank 0 alone tries the disk: the others would do the same.
    """
    net, datasets = task.prepare(config, comm)
    batches.steps_per_epoch(len(datasets[0]), config.optim.batch_size)
    if config.optim.precise_norm and config.model.freeze_norm:
        raise InputError("config key optim.precise_norm measures what model.freeze_norm keeps")
    if config.tensorboard:
        require_tensorboard()
    if comm.rank == 0:
        check_out(out, net, config.checkpoint.keep)
    return net, datasets


def train(task, config, net, datasets, out, resume, comm):
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
    training_set, validation_set = datasets
    bad_training, bad_validation = (
        BadRecords(dataset, comm, config.data.max_bad, out / "bad_records.txt")
        for dataset in datasets
    )
    steps = batches.steps_per_epoch(len(training_set), config.optim.batch_size)
    comm.agree("steps of an epoch", steps)
    comm.agree("validation pictures", len(validation_set))
    epochs = config.optim.epochs
    order = batches.order(training_set, config)
    manifest = dataclasses.replace(task.manifest(config, net), order=order)
    ctx = mx.gpu(comm.local_rank) if mx.context.num_gpus() else mx.cpu()
    trainer, start = initialize(task, config, net, out, resume, comm, ctx, order)
    take = task.make_step(config, net, comm)
    first_epoch, first_step = start
    finished = first_epoch >= epochs
    begin = epochs * steps if finished else first_epoch * steps + first_step
    # A finished run tells its last evaluation once more, any other all from its first step on.
    told = (first_epoch - 1, math.inf) if finished else (first_epoch, begin)
    saver.on_rank_0(comm, lambda: rewind_metrics(out / METRICS, *told))

    rate = functools.partial(learning_rate, config.optim, steps_per_epoch=steps)

    with Reporter(out, comm, config, steps, begin) as reporter, StopFlag() as stop:
        save = saver.Saver(out, net, trainer, manifest, start, config.checkpoint, steps, comm, stop)

        def evaluate(epoch, epochs_done, steps_done):
            """Evaluate, and report it as that of `epoch`; saves at the given place if stopped."""
            meter = task.evaluate(
                net, validation_set, bad_validation, config, comm, ctx, lambda: stop.asked
            )
            save.stop_if_asked(epochs_done, steps_done)
            report_evaluation(reporter, epoch, meter, validation_set, bad_validation, comm)
            return float(meter.figures[task.measures.score])

        def settle_statistics(epoch):
            """BatchNorm's, after an epoch's steps: alike on all ranks."""
            if not config.optim.precise_norm:
                average_statistics(net, comm)
                return
            mine = task.training_batches(
                training_set, bad_training, config, epoch, comm.rank, comm.size
            )
            first = itertools.islice(mine, config.optim.precise_norm)
            measure_statistics(net, first, comm, ctx, config.optim.accumulate, take.segments)

        for epoch in range(first_epoch, epochs):
            done = first_step if epoch == first_epoch else 0
            mine = task.training_batches(
                training_set, bad_training, config, epoch, comm.rank, comm.size, start=done
            )
            loop.train_one_epoch(
                net,
                trainer,
                enumerate(reporter.watch(mine), start=epoch * steps + done),
                comm,
                ctx,
                rate,
                config.log_every,
                reporter.train,
                take,
                save.after_step,
                {task.measures.trained: task.right},
            )
            settle_statistics(epoch)
            save.save(epoch + 1, score=evaluate(epoch, epoch, steps))
        if finished:
            evaluate(first_epoch - 1, *start)

    reporter.finish()


def report_evaluation(reporter, epoch, meter, dataset, bad, comm):
    """Report a whole evaluation, and what was left out of it."""
    left_out = len(bad.known)
    if meter.samples != len(dataset) - left_out:
        raise RuntimeError(f"evaluated {meter.samples} of {len(dataset)} samples")
    if left_out and comm.rank == 0:
        note = f"evaluated {meter.samples} of {len(dataset)} samples, {left_out} are bad"
        tqdm.write(note, file=sys.stderr)
    reporter.evaluation(epoch, meter)


def initialize(task, config, net, out, resume, comm, ctx, order):
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
        task.load_weights(config, net)
    set_multipliers(net.collect_params(), config.optim)
    trainer = comm.trainer(net.collect_params(), make_optimizer(config.optim))
    done = (0, 0)
    if resume:
        done = checkpoint.restore_newest(out, net, trainer, order)
    comm.broadcast(param.data(ctx) for param in net.collect_params().values())
    comm.broadcast(checkpoint.momentum_of(trainer).values())
    net.hybridize(static_alloc=True, static_shape=True)
    return trainer, done
