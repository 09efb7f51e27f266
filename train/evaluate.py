"""Evaluate a checkpoint on labelled pictures, also at another size than it trained at.

    python -m train.evaluate RUN --size 320 --pooling mean_max [--data val.rec]
    python -m train.evaluate RUN --data val.txt --root pictures

Larger pictures and mean-max pooling before the classifier are how the authors of DPN test. Runs on
one process or, under horovodrun, on several.
"""

import dataclasses
import sys
from pathlib import Path

from gluon_glore.data.labelled_pictures import PictureSource, pictures_for
from gluon_glore.layers.basic import pool_mean_max
from gluon_glore.model_zoo.load import load_network
from gluon_glore.utils.arguments import not_negative, positive_int
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.run_folder import validation_set

from .config.sections import Config, Data, Optim
from .data.pictures import evaluation_batches
from .engine import loop
from .engine.scoring import options, place, result_of, score


def main(argv=None):
    """Evaluate as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)
    return score(lambda: prepare(args), args.out)


def prepare(args):
    """The data set, its configuration, and how it is evaluated. Raises InputError."""
    net, manifest = load_picture_network(args.model)
    if args.pooling == "mean_max":
        pool_mean_max(net)
    config = make_config(args, manifest.preprocess)
    net.spec.check_input(config.data.size)
    dataset = pictures_for(args.model, manifest.class_names, source_of(args))

    def evaluate(comm, bad):
        ctx = place(net, comm)
        loaded = evaluation_batches(dataset, bad, config, comm.rank, comm.size)
        meter = loop.evaluate(net, loaded, comm, ctx)
        own = {
            "pooling": args.pooling,
            "size": list(config.data.size),
            "resize": config.data.resize,
        }
        return result_of(manifest.model, dataset, bad, meter, own)

    return dataset, config, evaluate


def parse_args(argv):
    """The options; those that default to the run's own are None where not given."""
    data = ("PICTURES", "folder, list or FILE.rec (the run's own validation set)")
    parser = options("train.evaluate", __doc__, data)
    parser.add_argument(
        "--root", default="", help="where a list's paths begin (as trained; of --data: its folder)"
    )
    parser.add_argument("--size", type=positive_int, help="pixels of the crop (as trained)")
    parser.add_argument(
        "--resize",
        type=not_negative,
        help="short side before the crop, 0 takes pictures as they are (grows with --size)",
    )
    parser.add_argument("--pooling", choices=("avg", "mean_max"), default="avg")
    parser.add_argument("--batch", type=positive_int, default=32, help="of all processes (32)")
    return parser.parse_args(argv)


def load_picture_network(model):
    """`load_network`; raises InputError where the network classifies no pictures."""
    net, manifest = load_network(model)
    if net.spec.ndim != 2:
        raise InputError(f"{manifest.model} takes {net.spec.ndim} dimensions, pictures have 2")
    if net.spec.head:
        raise InputError(f"{manifest.model} labels pixels: train.evaluate_cityscapes scores it")
    return net, manifest


def source_of(args) -> PictureSource:
    """The pictures to score: those of --data, else the run's own. Raises InputError."""
    if args.data:
        return PictureSource(args.data, args.root)
    own = validation_set(Path(args.model))
    return dataclasses.replace(own, root=args.root or own.root)


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
    if resize and resize < min(size):
        raise InputError(f"--resize {resize}: 0, or at least the crop's {min(size)} pixels")
    data = Data(
        size=size,
        resize=resize,
        mean=preprocess.mean,
        scale=preprocess.scale,
        threads=args.threads,
        max_bad=args.max_bad,
    )
    return Config(data=data, optim=Optim(batch_size=args.batch))


if __name__ == "__main__":
    sys.exit(main())
