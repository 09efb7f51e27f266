"""Evaluate a segmentation network on the set that its run states, by a confusion matrix.

    python -m train.evaluate_segmentation RUN --scales 0.75 1 1.25 --flip
    python -m train.evaluate_segmentation MODEL --config FILE --set data.root=ROOT

Whole pictures, in one process, on a GPU if there is. `python -m train.evaluate_cityscapes` scores
with Cityscapes' own evaluator.
"""

import sys
import time
from pathlib import Path

import mxnet as mx

from gluon_glore.cli.options import add_views, views
from gluon_glore.data.confusion import Confusion, class_scores
from gluon_glore.data.labelled_scenes import check_classes
from gluon_glore.data.scenes import Scenes, layout_of, read_all
from gluon_glore.inference.segment import load_segmenter
from gluon_glore.utils.arguments import ArgumentParser, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.progress_bar import bar

from .config.cityscapes import SceneConfig
from .config.load import load_config
from .engine.cityscapes_scores import class_table
from .engine.scoring import write_result


def main(argv=None):
    """Evaluate as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)

    def command():
        data = load_config(args.config or config_of(args.model), args.set, SceneConfig).data
        split = getattr(data, args.split)
        scenes = Scenes(data.root, split, layout=layout_of(data))
        with mx.gpu() if mx.context.num_gpus() else mx.cpu():
            segmenter = load_segmenter(args.model, runtime=args.runtime)
            result = {
                "model": segmenter.manifest.model,
                "runtime": segmenter.runtime,
                "data": str(scenes.path),
                **evaluate(segmenter, scenes, views(args)),
            }
        print(class_table(result))
        if args.out:
            write_result(args.out, result)

    return exit_code(command)


def parse_args(argv):
    """The options; those of scales, mirroring and windows are None where not given."""
    parser = ArgumentParser(
        prog="python -m train.evaluate_segmentation", description=__doc__.splitlines()[0]
    )
    parser.add_argument("model", help="a run's directory, an exported folder, a network's name")
    parser.add_argument(
        "--config", metavar="FILE", help="YAML file whose data section states the set (the run's)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as --set data.root=ROOT"
    )
    parser.add_argument(
        "--split", choices=("train", "val"), default="val", help="data.train or data.val (val)"
    )
    parser.add_argument("--out", metavar="FILE.json", help="write the scores there too")
    parser.add_argument("--runtime", help="what runs an exported folder (the best there is)")
    parser.add_argument("--batch", type=positive_int, help="windows at once (1)")
    add_views(parser)
    return parser.parse_args(argv)


def config_of(model) -> Path:
    """The configuration of a run. Raises InputError where `model` is no run's directory."""
    path = Path(model, "config.yaml")
    if not path.is_file():
        raise InputError(
            f"{model}: no run's directory, so it states no set: give --config FILE, whose data "
            "section does"
        )
    return path


def evaluate(segmenter, scenes, views):
    """Predict all of some `Scenes` and score them.

    Returns what was done and `class_scores`. Raises InputError where the network's classes are not
    the set's, no pixel has a label, or a scene can't be used: they are all read before the first
    is predicted.
    """
    model, names = segmenter.manifest.model, tuple(scenes.classes.names)
    check_classes(model, segmenter.manifest.class_names, names)
    read_all(scenes)
    start, confusion = time.monotonic(), Confusion(len(names))
    for i in bar(range(len(scenes)), desc="predicted", unit="scene"):
        picture, label = scenes[i]
        try:
            predicted = segmenter.classes(picture, views)
        except InputError as error:
            raise InputError(f"{scenes.name(i)}: {error}") from None
        confusion.add(predicted, label)
    if not confusion.matrix.any():
        raise InputError(f"{scenes.path}: no labelled pixel in it")
    return {
        "pictures": len(scenes),
        "scales": list(views.scales),
        "flip": views.flip,
        "window": views.window and list(views.window),
        "seconds": round(time.monotonic() - start, 1),
        **class_scores(confusion, names),
    }


if __name__ == "__main__":
    sys.exit(main())
