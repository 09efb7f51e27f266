"""Evaluate a checkpoint on labelled pictures, also at another size than it trained at.

    python -m train.evaluate RUN --size 320 --pooling mean_max [--data val.rec]
    python -m train.evaluate RUN --data val.txt --root pictures
    python -m train.evaluate RUN --predictions out.csv --results out.json
    python -m train.evaluate RUN --data imagenet_a --subset data

Larger pictures and mean-max pooling before the classifier are how the authors of DPN test. With
--subset the network chooses among some of its classes: the logits of the others are left out. Runs
on one process or, under horovodrun, on several.
"""

import dataclasses
import sys
from pathlib import Path

import mxnet as mx

from gluon_glore.data.class_names import OtherNames, names_beside, read_classes
from gluon_glore.data.labelled_pictures import (
    PictureSource,
    is_packed,
    open_pictures,
    pictures_for,
)
from gluon_glore.layers.basic import pool_mean_max
from gluon_glore.model_zoo.load import load_own_network
from gluon_glore.utils.arguments import not_negative, positive_int
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.run_folder import validation_set

from .config.optim import Optim
from .config.pictures import Data
from .config.sections import Config
from .data.class_subset import class_subset
from .data.missing_files import check_missing
from .data.pictures import evaluation_batches
from .engine import loop
from .engine.comm import first_of_host
from .engine.picture_scores import bootstrap_interval, calibration_error
from .engine.predictions import Keeper
from .engine.scoring import Scored, add_predictions, options, origin, place, result_of, score

DATA = "data"  # as --subset: the classes that the data have
SUBSET_HINT = f"; or score the network on these classes alone: --subset {DATA}"


def main(argv=None):
    """Evaluate as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)
    return score(lambda: prepare(args), args.out, predictions=args.predictions)


def prepare(args):
    """The data set, its configuration, and how it is evaluated. Raises InputError."""
    net, manifest = load_picture_network(args.model)
    if args.pooling == "mean_max":
        pool_mean_max(net)
    config = make_config(args, manifest.preprocess)
    net.spec.check_input(config.data.size)
    dataset, subset = open_data(source_of(args), manifest, args.model, args.subset)
    check_missing(
        dataset.path, dataset.paths, args.max_bad, "picture", "--max-bad", not first_of_host()
    )
    own = {
        **origin(args.model, manifest),
        "pooling": args.pooling,
        "size": list(config.data.size),
        "resize": config.data.resize,
        "batch": args.batch,
        **(subset.settings() if subset else {}),
    }

    def evaluate(comm, bad):
        ctx = place(net, comm)
        network, numbers = net, range(net.classes)
        batches = evaluation_batches(dataset, bad, config, comm.rank, comm.size, whole=True)
        if subset:
            network, numbers = choosing(net, subset.numbers, ctx), subset.numbers
            batches = subset.batches(batches)
        keeper = Keeper(numbers)
        meter = loop.evaluate(network, batches, comm, ctx, keeper.logits)
        if not meter.samples:
            raise InputError(f"{dataset.path}: none of its {len(dataset)} pictures can be read")
        predictions = keeper.gather(dataset, bad, comm, args.batch)
        scored = result_of(manifest.model, dataset, bad, meter, own)
        figures = {**scored.figures, **certainty(predictions)}
        return Scored(figures, predictions, manifest.class_names, subset.note if subset else "")

    return dataset, config, evaluate


def open_data(source, manifest, model, names=None):
    """The pictures of a `PictureSource`, and the `ClassSubset` that they are scored on, or None.

    `names` is what --subset says: a file of class names, "data" for those that the pictures have,
    None for all classes of the network. Labels of records stand for the names beside them, where
    there are any, else for those of the subset. Raises InputError where pictures or names can't be
    used.
    """
    if names is None:
        try:
            return pictures_for(model, manifest.class_names, source), None
        except OtherNames as error:
            raise InputError(f"{error}{SUBSET_HINT if error.subset else ''}") from None
    if source.share:
        raise InputError(f"{model}: its validation set is of all classes: --subset needs --data")
    network = manifest.class_names, manifest.model
    if not is_packed(source.path):
        given = None if names == DATA else read_classes(names)
        pictures = open_pictures(source.path, given, root=source.root, use="val")
        place = pictures.path if names == DATA else names
        return pictures, class_subset(place, place, *network, pictures.class_names)
    beside = names_beside(source.path)
    if names == DATA and not beside:
        raise InputError(
            f"{source.path}: no class names beside it, so --subset needs a file of names"
        )
    named = beside if names == DATA else names
    subset = class_subset(named, beside or named, *network)
    return open_pictures(source.path, classes=len(subset.places)), subset


def choosing(net, numbers, ctx):
    """The network as a function of pixels to the logits of the classes of these numbers alone."""
    columns = mx.nd.array(numbers, ctx=ctx)
    return lambda pixels: net(pixels).take(columns, axis=1)


def certainty(predictions):
    """How sure top-1 is, and how sure the network is of itself; see `engine.picture_scores`."""
    return {
        "top1_interval": list(bootstrap_interval(predictions.right)),
        "calibration_error": calibration_error(predictions.scores[:, 0], predictions.right),
    }


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
    parser.add_argument("--batch", type=positive_int, default=32, help="at once, a process (32)")
    parser.add_argument(
        "--subset",
        metavar="NAMES.txt",
        help=f"score on these classes of the network alone ({DATA}: those of the data)",
    )
    add_predictions(parser)
    return parser.parse_args(argv)


def load_picture_network(model):
    """`load_own_network`; raises InputError where the network classifies no pictures."""
    net, manifest = load_own_network(model)
    if net.spec.ndim != 2:
        raise InputError(f"{manifest.model} takes {net.spec.ndim} dimensions, pictures have 2")
    if net.spec.head:
        raise InputError(f"{manifest.model} labels pixels: train.evaluate_segmentation scores it")
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
