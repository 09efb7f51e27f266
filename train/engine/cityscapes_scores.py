"""Scores of segmentation as tables, and by Cityscapes' own evaluator.

iIoU weighs a class's pixels with the size of its instances.
"""

import contextlib
import copy
import io
import math
from pathlib import Path

from gluon_glore.data.cityscapes import CLASSES
from gluon_glore.data.confusion import known
from gluon_glore.data.pillow_decoder import whole_files
from gluon_glore.utils.errors import InputError


def class_table(scores):
    """`class_scores` as Markdown, in percent."""
    rows = [*scores["classes"].items(), ("mean", scores["miou"])]
    rows.append(("pixels that are right", scores["accuracy"]))
    cells = (f"| {name} | {_cell(score)} |" for name, score in rows)
    return "\n".join(["| class | IoU |", "|---|---|", *cells])


def evaluator():
    """The module of Cityscapes' own evaluator. Raises InputError where it can't be imported."""
    try:
        from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling
    except ImportError as error:
        raise InputError(
            f"no evaluator ({error}): pip install --no-deps cityscapesscripts pyquaternion pillow"
        ) from None
    except ValueError as error:  # of a variable in the environment that it reads
        raise InputError(f"Cityscapes' evaluator: {error}") from None
    return evalPixelLevelSemanticLabeling


def official_scores(predictions, labels):
    """Cityscapes' own scores of predicted label-id PNG files against `*_labelIds.png` files.

    A dictionary: "miou", "iiou", "category_miou", "category_iiou"; "classes" and "categories" by
    name, {"iou": ..., "iiou": ...} each. None stands for a score that does not exist: the IoU of a
    class that is nowhere, the iIoU of a class without instances, and every iIoU where a label has
    no `*_instanceIds.png` beside it. Raises InputError with the evaluator's own words.
    """
    predictions, labels = list(map(str, predictions)), list(map(str, labels))
    if not labels:
        raise InputError("no picture to evaluate")
    official = evaluator()
    args = copy.copy(official.args)  # the module's own stays as it is
    args.quiet, args.JSONOutput = True, False
    args.evalInstLevelScore = all(Path(instances_of(label)).is_file() for label in labels)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), whole_files:
            found = official.evaluateImgLists(predictions, labels, args)
    except SystemExit:  # so it ends where something is wrong, after printing why
        raise InputError(printed.getvalue().strip().replace("ERROR: ", "")) from None
    except IndexError:
        raise InputError("a prediction holds an id that is no label's") from None
    if not args.evalInstLevelScore:  # it takes each class for without instances, 0 / fp
        for key in ("classInstScores", "categoryInstScores"):
            found[key] = dict.fromkeys(found[key], math.nan)
        found["averageScoreInstClasses"] = found["averageScoreInstCategories"] = math.nan

    def scores(names, kind):
        iou, iiou = found[f"{kind}Scores"], found[f"{kind}InstScores"]
        return {name: {"iou": known(iou[name]), "iiou": known(iiou[name])} for name in names}

    return {
        "miou": known(found["averageScoreClasses"]),
        "iiou": known(found["averageScoreInstClasses"]),
        "category_miou": known(found["averageScoreCategories"]),
        "category_iiou": known(found["averageScoreInstCategories"]),
        "classes": scores([label.name for label in CLASSES], "class"),
        "categories": scores(dict.fromkeys(label.category for label in CLASSES), "category"),
    }


def instances_of(label):
    """Where the evaluator looks for the instances of a label file."""
    return str(label).replace("labelIds", "instanceIds")


def scores_table(scores):
    """`official_scores` as Markdown, in percent."""
    classes = {**scores["classes"], "mean": {"iou": scores["miou"], "iiou": scores["iiou"]}}
    mean = {"iou": scores["category_miou"], "iiou": scores["category_iiou"]}
    categories = {**scores["categories"], "mean": mean}
    return "\n\n".join((_table("class", classes), _table("category", categories)))


def _table(kind, rows):
    """A Markdown table of IoU and iIoU, a row a class or category."""
    lines = [f"| {kind} | IoU | iIoU |", "|---|---|---|"]
    lines += [f"| {name} | {_cell(x['iou'])} | {_cell(x['iiou'])} |" for name, x in rows.items()]
    return "\n".join(lines)


def _cell(score):
    """A score in per cent, a dash for None."""
    return "–" if score is None else f"{100 * score:.2f}"
