"""What all trainers share: the command line, and a run from its checks to its summary.

    horovodrun -np N python -m train.TASK --config FILE --out DIR [--set key=value]
                       [--resume [--accept-changes]]

DIR gets config.yaml (the whole configuration, fit for --config), metrics.jsonl (a row a log and an
evaluation), checkpoints/, at the end summary.json and curves.png, and with `tensorboard: true` the
folder tensorboard/. `python -m train.report DIR...` compares runs. A run that goes on with another
configuration keeps those before as config-0001.yaml, config-0002.yaml, ...

What is trained, and on what, is a `train.engine.task.Task`.
"""

import contextlib
import dataclasses
import functools
import itertools
import math
import sys
from pathlib import Path

import mxnet as mx
import numpy as np
from tqdm import tqdm

from gluon_glore.layers.basic import freeze_norm
from gluon_glore.utils.arguments import ArgumentParser
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.run_folder import checkpoints

from ..config.load import load_config
from ..data import batches
from ..data.bad_records import BadRecords
from ..data.mix import check_mix, mixed
from ..reporting.data_sets import describe
from ..reporting.reporter import Reporter
from ..reporting.runs import METRICS_FILE, rewind_metrics
from . import checkpoint, loop, saver
from .comm import make_comm, tells, together
from .distill import check_teacher
from .learner import Learner
from .norm_statistics import measure_statistics
from .optimizer import learning_rate, make_optimizer, set_multipliers
from .precision import set_precision
from .preflight import check_changes, check_out, check_packages
from .pretrained import Start
from .residual_units import check_units, set_drop_path, start_as_identity
from .run_lock import run_lock
from .step import make_segments
from .stop import STOPPED, StopFlag, Stopped
from .task import Task
from .weight_average import WeightAverage


def run(task: Task, argv=None) -> int:
    """Train as the command line says.

    Returns the exit code: 0, 2 for what can't be used, 75 for a run that was stopped and has saved.
    """
    args = parse_args(task, argv)

    def command():
        if args.accept_changes and not args.resume:
            raise InputError("--accept-changes is for --resume, given without it")
        config = load_config(args.config, args.set, task.config_class)
        check_packages(config)
        comm, code = make_comm(config.horovod), 0
        out = Path(args.out)
        config, net, datasets = together(comm, lambda: prepare(task, config, out, comm))
        try:
            with hold(out, comm):
                train(task, config, net, datasets, out, args.resume, comm, args.accept_changes)
        except Stopped as stopped:
            code = STOPPED
            if comm.rank == 0:
                print(f"stopped: {stopped}; --resume goes on from there", file=sys.stderr)
        comm.shutdown()
        return code

    return exit_code(command, tells)


def parse_args(task, argv):
    """The options of a trainer of `task`, `set` a list of "KEY=VALUE"."""
    parser = ArgumentParser(
        prog=task.prog,
        description=task.description,
        epilog="The directory of a run holds config.yaml, metrics.jsonl and checkpoints/, at its "
        "end summary.json and curves.png, and with `tensorboard: true` the folder tensorboard/. "
        "`python -m train.report RUN...` compares runs. Without GPUs the processes of a host have "
        "cores of their own; GLORE_PIN=0 in the environment leaves them free.",
    )
    parser.add_argument("--config", required=True, help="YAML file, see configs/")
    parser.add_argument("--out", required=True, help="directory of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint")
    parser.add_argument(
        "--accept-changes",
        action="store_true",
        help="--resume with another recipe or data than those of the run's config.yaml",
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as --set optim.lr=0.2"
    )
    return parser.parse_args(argv)


def prepare(task, config, out, comm):
    """The task's configuration, network and data sets, after all that can be checked beforehand.

    A `model.classes` of 0 has become the network's, `distill` has its teacher's sha256. Raises
    InputError. Rank 0 alone tries the disk: the others would do the same.
    """
    net, datasets = task.prepare(config, comm)
    if getattr(config.model, "classes", None) == 0:
        config = dataclasses.replace(
            config, model=dataclasses.replace(config.model, classes=net.classes)
        )
        if comm.rank == 0:
            note = f"model.classes: {net.classes}, the class names of {datasets[0].path}"
            print(note, file=sys.stderr)
    if getattr(config, "distill", None) and config.distill.teacher:
        distill = check_teacher(config, task.manifest(config, net), comm)
        config = dataclasses.replace(config, distill=distill)
    batches.steps_per_epoch(len(datasets[0]), config.optim.batch_size)
    if config.optim.precise_norm and config.model.freeze_norm:
        raise InputError("config key optim.precise_norm measures what model.freeze_norm keeps")
    if config.optim.new_mult != 1 and not config.model.pretrained:
        raise InputError(
            f"config key optim.new_mult {config.optim.new_mult:g} is for layers that "
            "model.pretrained lacks, given none"
        )
    check_units(net, config.model)
    if comm.rank == 0:
        check_out(out, net, config.checkpoint.keep, config.optim.copies)
    return config, net, datasets


@contextlib.contextmanager
def hold(out, comm):
    """Hold the folder of a run, by rank 0. All ranks raise InputError where another run does."""
    with contextlib.ExitStack() as held:
        saver.on_rank_0(comm, lambda: held.enter_context(run_lock(out)))
        yield


def train(task, config, net, datasets, out, resume, comm, accept=False):
    """Train `net` to the end of the schedule and leave metrics, summary and checkpoints in `out`.

    Raises InputError where `out` holds another run or can't be written, a checkpoint does not fit,
    data is bad, or a resumed run is changed without `accept`; Stopped where SIGTERM or SIGINT asked
    for an end and all is saved.
    """
    training_set, validation_set = datasets
    check_shares(config.optim, comm)
    if hasattr(config, "mix"):
        check_mix(config, len(training_set), comm.size)
    if not resume and checkpoints(out):
        raise InputError(f"{out} holds a run: give --resume, or another --out")
    bad_training, bad_validation = (
        BadRecords(dataset, comm, config.data.max_bad, out / "bad_records.txt")
        for dataset in datasets
    )
    steps = batches.steps_per_epoch(len(training_set), config.optim.batch_size)
    comm.agree("steps of an epoch", steps)
    comm.agree("validation pictures", len(validation_set))
    order = batches.order(training_set, config)
    manifest = dataclasses.replace(task.manifest(config, net), order=order)
    if resume:
        together(comm, lambda: comm.rank == 0 and check_changes(out, config, manifest, accept))
    learner, start = initialize(task, config, net, comm, out if resume else None, order)
    ctx = learner.ctx
    step = task.make_step(config, net, comm)
    first_epoch, first_step = start
    begin = first_epoch * steps + first_step
    end = max(begin, config.optim.run_steps(steps))
    epochs = math.ceil(end / steps)
    finished = first_epoch >= epochs
    # A finished run writes its last evaluation again, any other all rows from its first step on.
    rewound = (first_epoch - 1, math.inf) if finished else (first_epoch, begin)
    saver.on_rank_0(comm, lambda: rewind_metrics(out / METRICS_FILE, *rewound))

    rate = functools.partial(learning_rate, config.optim, steps_per_epoch=steps)
    if comm.rank == 0:
        print(describe(datasets), file=sys.stderr, flush=True)
        if config.optim.iterations:
            print(schedule(config.optim, steps), file=sys.stderr, flush=True)

    with Reporter(out, comm, config, steps, begin) as reporter, StopFlag() as stop:
        save = saver.Saver(out, learner, manifest, start, config.checkpoint, steps, stop)

        def evaluate(epoch, epochs_done, steps_done):
            """The score of an evaluation, reported as that of `epoch`.

            Saves at the given place and raises Stopped where a stop was asked for.
            """
            tested = learner.tested()
            meter = task.evaluate(
                tested, validation_set, bad_validation, config, comm, ctx, lambda: stop.asked
            )
            save.stop_if_asked(epochs_done, steps_done)
            report_evaluation(reporter, epoch, meter, validation_set, bad_validation, comm)
            return float(meter.figures[task.metrics.score])

        def training_batches(epoch, start=0):
            """This rank's batches of an epoch, up to the run's last."""
            loaded = task.training_batches(
                training_set, bad_training, config, epoch, comm.rank, comm.size, start=start
            )
            if hasattr(config, "mix"):
                classes, samples = config.model.classes, len(training_set)
                loaded = mixed(loaded, config, classes, samples, epoch, start)
            return itertools.islice(loaded, end - epoch * steps - start)

        def settle_statistics(epoch):
            """Make BatchNorm's running statistics alike on all ranks after an epoch's steps."""
            if not config.optim.precise_norm:
                learner.share_statistics()
                return
            first = itertools.islice(training_batches(epoch), config.optim.precise_norm)
            with learner.measured() as measured:
                segments = step.segments
                if segments and measured is not net:
                    segments = make_segments(config.optim, measured)
                measure_statistics(measured, first, comm, ctx, config.optim.accumulate, segments)

        def after_step(number):
            """What follows a training step, its log done. Raises Stopped as `save` does."""
            if learner.average is not None:
                with comm.waiting():
                    learner.average.update()
            save.after_step(number)

        for epoch in range(first_epoch, epochs):
            done = first_step if epoch == first_epoch else 0
            loaded = reporter.watch(training_batches(epoch, start=done))
            loop.train_one_epoch(
                learner,
                enumerate(loaded, start=epoch * steps + done),
                rate,
                reporter.train,
                config.log_every,
                step,
                after_step,
                {task.metrics.trained: task.accuracy},
            )
            settle_statistics(epoch)
            place = min(steps, end - epoch * steps)  # fewer where the run ends within an epoch
            score = evaluate(epoch, epoch, place) if is_evaluated(config, epoch, epochs) else None
            save.save(*((epoch + 1, 0) if place == steps else (epoch, place)), score=score)
        if finished:
            # Saved again, for an epoch that was not to be the last may have no score yet.
            save.save(*start, score=evaluate(first_epoch - 1, *start))

    reporter.finish()


def is_evaluated(config, epoch, epochs):
    """Whether epoch `epoch`, counted from 0, of `epochs` ends with an evaluation."""
    every = getattr(config, "evaluate_every", 1)  # a task of someone's own may not have the key
    return epoch + 1 == epochs or (every > 0 and (epoch + 1) % every == 0)


def schedule(optim, steps):
    """A line on a run of `optim.iterations` steps, an epoch having `steps`."""
    falls = f", the rate falls at steps {', '.join(map(str, optim.steps))}"
    return (
        f"{optim.iterations} steps, {optim.iterations / steps:.4g} epochs of {steps}"
        f"{falls if optim.schedule == 'step' and optim.steps else ''}"
    )


def check_shares(optim, comm):
    """Raise InputError where the processes can't share a step's samples evenly."""
    if optim.batch_size % comm.size:
        raise InputError(
            f"optim.batch_size {optim.batch_size} is not divisible by {comm.size} processes"
        )
    share = optim.batch_size // comm.size
    if share % optim.accumulate:
        raise InputError(
            f"optim.accumulate {optim.accumulate} does not divide the {share} pictures of "
            f"each of {comm.size} processes"
        )


def initialize(task, config, net, comm, run, order):
    """Give `net` its first weights, or those of the newest checkpoint of `run` where not None.

    Returns the `Learner`, weights and momentum alike on all ranks, and `(epochs, steps of the
    next)` that are done. Raises InputError, see `train.engine.checkpoint.restore_newest`.
    """
    ctx = mx.gpu(comm.local_rank) if mx.context.num_gpus() else mx.cpu()
    average = WeightAverage(net, config.optim.ema) if config.optim.ema else None
    set_precision(config.optim.precision)
    mx.random.seed(config.seed)
    np.random.seed(config.seed)
    net.initialize(ctx=ctx)
    if getattr(config.model, "zero_init_residual", False):
        start_as_identity(net)
    if getattr(config.model, "drop_path", 0):
        set_drop_path(net, config.model.drop_path)
    begun = (config.model.pretrained and task.load_weights(config, net)) or Start()
    if run is None and comm.rank == 0:
        for note in begun.notes:
            print(note, file=sys.stderr, flush=True)
    if config.model.freeze_norm:
        freeze_norm(net, spared=begun.new)
    set_multipliers(net.collect_params(), config.optim, begun.new)
    trainer = comm.trainer(net.collect_params(), make_optimizer(config.optim))
    done = (0, 0) if run is None else checkpoint.restore_newest(run, net, trainer, order, average)
    comm.broadcast(param.data(ctx) for param in net.collect_params().values())
    comm.broadcast(checkpoint.momentum_of(trainer).values())
    if average is not None:
        if run is None:
            average.start()
        comm.broadcast(average.arrays.values())
    net.hybridize(static_alloc=True, static_shape=True)
    return Learner(net, trainer, comm, ctx, average), done


def report_evaluation(reporter, epoch, meter, dataset, bad, comm):
    """Report a whole evaluation, and what was left out of it."""
    left_out = len(bad.known)
    if meter.samples != len(dataset) - left_out:
        raise RuntimeError(f"evaluated {meter.samples} of {len(dataset)} samples")
    if left_out and comm.rank == 0:
        note = f"evaluated {meter.samples} of {len(dataset)} samples, {left_out} are bad"
        tqdm.write(note, file=sys.stderr)
    reporter.evaluation(epoch, meter)
