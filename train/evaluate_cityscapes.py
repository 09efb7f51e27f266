"""Evaluate a segmentation network on Cityscapes with the data set's own evaluator.

    python -m train.evaluate_cityscapes MODEL --data ROOT --scales 0.75 1 1.25 --flip
    python -m train.evaluate_cityscapes MODEL --data ROOT --split test --submit FOLDER

Also writes predictions as the test server takes them. Runs in one process, on a GPU if there is.
"""

import sys
import tempfile
import time
from pathlib import Path

import mxnet as mx

from gluon_glore.cli.options import add_views, views
from gluon_glore.data.image import encode_png
from gluon_glore.data.records import BadRecord
from gluon_glore.data.scenes import Scenes, read_all
from gluon_glore.inference.segment import load_segmenter
from gluon_glore.utils.arguments import ArgumentParser, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError, naming
from gluon_glore.utils.files import is_taken, new_folder
from gluon_glore.utils.progress_bar import bar
from gluon_glore.visualize.label_maps import Palette

from .engine.cityscapes_scores import evaluator, official_scores, scores_table
from .engine.scoring import write_result


def main(argv=None):
    """Evaluate as the command line says. Returns the exit code: 0, or 2 for what can't be used."""
    args = parse_args(argv)

    def command():
        with mx.gpu() if mx.context.num_gpus() else mx.cpu():
            segmenter = load_segmenter(args.model, runtime=args.runtime)
            result = evaluate(segmenter, args.data, args.split, views(args), args.submit)
        if "miou" in result:
            print(scores_table(result))
        if args.out:
            write_result(args.out, result)

    return exit_code(command)


def parse_args(argv):
    """The options; those of scales, mirroring and windows are None where not given."""
    parser = ArgumentParser(
        prog="python -m train.evaluate_cityscapes", description=__doc__.splitlines()[0]
    )
    parser.add_argument("model", help="a run's directory, an exported folder, a network's name")
    parser.add_argument(
        "--data", required=True, metavar="ROOT", help="folder of leftImg8bit and gtFine"
    )
    parser.add_argument("--split", choices=("train", "val", "test"), default="val")
    parser.add_argument(
        "--submit", metavar="DIR", help="keep the predictions, as the test server takes them"
    )
    parser.add_argument("--out", metavar="FILE.json", help="write the scores there too")
    parser.add_argument("--runtime", help="what runs an exported folder (the best there is)")
    parser.add_argument("--batch", type=positive_int, help="windows at once (1)")
    add_views(parser)
    return parser.parse_args(argv)


def evaluate(segmenter, root, split, views, submit=None):
    """Predict all scenes of a split, into the new folder `submit` where given, and score them.

    Returns what was done and `official_scores`; no scores of the test split, whose labels are not
    public. Raises InputError where the classes are not Cityscapes', nothing is asked for, `submit`
    holds something, or a scene can't be used: they are all read before the first is predicted.
    """
    palette = Palette(segmenter.manifest.class_names)
    if not palette.cityscapes:
        raise InputError(f"{segmenter.manifest.model}: its classes are not Cityscapes'")
    scored = split != "test"
    if scored:
        evaluator()
    elif submit is None:
        raise InputError("the labels of test are not public: give --submit DIR")
    if submit is not None and is_taken(submit):
        raise InputError(f"{submit}: not an empty folder")
    scenes = Scenes(root, split, labelled=scored)
    read_all(scenes)

    start = time.monotonic()
    result = {
        "model": segmenter.manifest.model,
        "runtime": segmenter.runtime,
        "data": str(root),
        "split": split,
        "pictures": len(scenes),
        "scales": list(views.scales),
        "flip": views.flip,
        "window": views.window and list(views.window),
    }
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(submit or Path(temporary) / "predictions")
        with new_folder(folder) as new:
            names = predict(segmenter, palette, scenes, views, new)
        result["seconds"] = round(time.monotonic() - start, 1)
        if submit is not None:
            print(f"written: {len(names)} predictions to {submit}", file=sys.stderr)
        if scored:
            print("scoring with Cityscapes' evaluator", file=sys.stderr)
            result.update(official_scores([folder / name for name in names], scenes.labels))
            if result["iiou"] is None:
                print("not every label has its *_instanceIds.png: no iIoU", file=sys.stderr)
    return result


def predict(segmenter, palette, scenes, views, folder):
    """Write the predicted label ids of all scenes into `folder`; returns the files' names.

    They are CITY_SEQUENCE_FRAME_labelIds.png, one channel of 8 bits, in the pictures' sizes.
    Raises InputError, naming the picture, where one can't be predicted.
    """
    names = []
    for i in bar(range(len(scenes)), desc="predicted", unit="scene"):
        scene = scenes.pictures[i].name.replace("_leftImg8bit.png", "")
        names.append(f"{scene}_labelIds.png")
        try:
            classes = segmenter.classes(scenes.picture(i), views)
        except BadRecord:
            raise
        except InputError as error:
            raise InputError(f"{scenes.name(i)}: {error}") from None
        with naming(folder):
            (folder / names[-1]).write_bytes(encode_png(palette.label_ids(classes)))
    return names


if __name__ == "__main__":
    sys.exit(main())
