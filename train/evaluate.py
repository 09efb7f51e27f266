"""Evaluate a checkpoint on labelled pictures in RecordIO, also at another size than it trained at.

    python -m train.evaluate RUN --size 320 --pooling mean_max [--data val.rec]

The DPN work's way of testing: larger pictures, mean-max pooling before the classifier. Runs on one
process or, under horovodrun, on several.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import mxnet as mx

from gluon_glore.atomic import write_text
from gluon_glore.errors import InputError, naming, positive_int
from gluon_glore.layers import pool_mean_max
from gluon_glore.load import load_network

from . import loop
from .bad_records import BadRecords
from .comm import make_comm
from .config import Config, Data, Optim
from .input import evaluation_batches
from .measures import TITLES
from .records import RecordDataset


def main(argv=None):
    """Evaluate as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)
    return score(lambda: prepare(args), args.out)


def score(prepare, out, unit="pictures"):
    """Evaluate on one process or, under horovodrun, on several; print and write what came of it.

    `prepare()` gives the data set of `unit`, its configuration and `evaluate(comm)`, which returns
    what `result_of` does, and may raise InputError. Returns the exit code: 0, or 2 for what can't
    be used.
    """
    comm = None
    try:
        dataset, config, evaluate = prepare()
        comm = make_comm()
        dataset.bad = BadRecords(dataset, config.data.max_bad, comm)
        result = evaluate(comm)
    except InputError as error:
        if os.environ.get("HOROVOD_LOCAL_RANK", "0") == "0":
            print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    if comm.rank == 0:
        figures = ", ".join(f"{TITLES[key]} {result[key]:.4f}" for key in TITLES if key in result)
        print(
            f"{result['model']}: {figures}, loss {result['loss']:.4f} on {result['samples']} of "
            f"{len(dataset)} {unit} of {dataset.path}",
            flush=True,
        )
    comm.shutdown()
    return write_result(out, result) if out and comm.rank == 0 else 0


def prepare(args):
    """The data set, its configuration, and how it is evaluated. Raises InputError."""
    net, manifest = load_picture_network(args.model)
    if args.pooling == "mean_max":
        pool_mean_max(net)
    config = make_config(args, manifest.preprocess)
    net.spec.check_input(config.data.size)
    dataset = RecordDataset(config.data.val, net.classes)

    def evaluate(comm):
        ctx = place(net, comm)
        loaded = evaluation_batches(dataset, config, comm.rank, comm.size)
        meter = loop.evaluate(net, loaded, comm, ctx)
        own = {
            "pooling": args.pooling,
            "size": list(config.data.size),
            "resize": config.data.resize,
        }
        return result_of(manifest.model, dataset, meter, own)

    return dataset, config, evaluate


def place(net, comm):
    """Hybridise a network where it is to run, on a GPU if there is; returns its context."""
    net.hybridize(static_alloc=True, static_shape=True)
    if mx.context.num_gpus():
        net.collect_params().reset_ctx(mx.gpu(comm.local_rank))
    return net.output.weight.list_ctx()[0]


def result_of(model, dataset, meter, own):
    """An evaluation as a dictionary: loss, accuracy, speed, counts, and its `own` settings."""
    return {
        "model": model,
        "data": str(dataset.path),
        **own,
        "loss": float(meter.loss),
        **{key: float(value) for key, value in meter.figures.items() if value is not None},
        "images_per_second": round(meter.images_per_second, 2),
        "samples": meter.samples,
        "bad_records": len(dataset.bad.known),
    }


def write_result(path, result):
    """Write a result as JSON. Returns the exit code: the figures are on stdout in any case."""
    try:
        with naming(path):
            write_text(path, json.dumps(result, indent=2) + "\n")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parse_args(argv):
    """The options; those that a run or its checkpoint knows are None where not given."""
    parser = argparse.ArgumentParser(
        prog="python -m train.evaluate", description=__doc__.splitlines()[0]
    )
    parser.add_argument("model", metavar="RUN", help="a run's directory, or a checkpoint's")
    parser.add_argument("--data", metavar="FILE.rec", help="(the run's own validation set)")
    parser.add_argument("--size", type=positive_int, help="pixels of the crop (as trained)")
    parser.add_argument(
        "--resize",
        type=int,
        help="short side before the crop, 0 takes pictures as they are (grows with --size)",
    )
    parser.add_argument("--pooling", choices=("avg", "mean_max"), default="avg")
    parser.add_argument("--batch", type=positive_int, default=32, help="of all processes (32)")
    parser.add_argument("--threads", type=positive_int, default=2, help="decoding, a process (2)")
    parser.add_argument("--max-bad", type=float, default=0.01, help="share allowed (0.01)")
    parser.add_argument("--out", metavar="FILE.json", help="write the result there too")
    return parser.parse_args(argv)


def load_picture_network(model):
    """`load_network`; raises InputError where the network classifies no pictures."""
    net, manifest = load_network(model)
    if net.spec.ndim != 2:
        raise InputError(f"{manifest.model} takes {net.spec.ndim} dimensions, pictures have 2")
    if net.spec.head:
        raise InputError(f"{manifest.model} labels pixels: train.evaluate_cityscapes scores it")
    return net, manifest


def make_config(args, preprocess) -> Config:
    """What `evaluation_batches` needs: the checkpoint's preprocessing, changed as asked for.

    Raises InputError where the short side would be less than the crop's.
    """
    size, resize = preprocess.size, preprocess.resize
    if args.size:
        resize = round(resize * args.size / min(size))
        size = (args.size, args.size)
    if args.resize is not None:
        resize = args.resize
    if resize and resize < min(size) or resize < 0:
        raise InputError(f"--resize {resize}: 0, or at least the crop's {min(size)} pixels")
    data = Data(
        val=args.data or validation_set(Path(args.model)),
        size=size,
        resize=resize,
        mean=preprocess.mean,
        scale=preprocess.scale,
        threads=args.threads,
        max_bad=args.max_bad,
    )
    return Config(data=data, optim=Optim(batch_size=args.batch))


def validation_set(run):
    """The validation set of a finished run. Raises InputError where nothing says it."""
    return data_section(run, "FILE.rec")["val"]


def data_section(run, kind):
    """What a finished run's configuration says of its data. Raises InputError where nothing does.

    `kind` is what --data would take instead.
    """
    try:
        data = json.loads((run / "summary.json").read_text())["config"]["data"]
        return {"val": data["val"], "root": data.get("root", "")}
    except (OSError, ValueError, KeyError):
        raise InputError(f"{run} does not say its validation set: give --data {kind}") from None


if __name__ == "__main__":
    sys.exit(main())
