"""Accuracy against cost: the paper's Table 2, and beside it what was trained here.

    python -m train.paper.accuracy_cost --out FILE.png [RUN...]

Left the networks of Table 2: counted multiply-adds, accuracies as printed. Right our own small
networks, each on its own data. A RUN of `train.imagenet` or `train.kinetics` is a star, left where
it has ImageNet's 1000 classes, right else.
"""

import sys
from pathlib import Path

from gluon_glore.networks.paper import get_spec
from gluon_glore.utils.arguments import ArgumentParser
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError, naming

from ..config.network import model_spec
from ..config.sections import Model
from ..reporting.curves import pyplot, save
from ..reporting.metrics import CLASSIFICATION, TITLES
from ..reporting.runs import CONFIG_FILE, read_run
from ..reporting.size import network_size, run_size, run_spec
from .scatter import Panel, Point
from .study_report import read_rows
from .tables import ROOT, tables

# What was trained here, a data set a file, its rows as `train.paper.study` writes them.
OWN = {
    "CIFAR-10": ROOT / "docs" / "cifar10.json",
    "digit pairs": ROOT / "docs" / "study" / "pairs.json",
    "moving digits": ROOT / "docs" / "study" / "moving_digits.json",
}
IMAGENET = 1000  # classes
FAMILIES = {
    "resnet50": ("ResNet-50", "tab:blue"),
    "se_resnet50": ("SE-ResNet-50", "tab:cyan"),
    "resnet200": ("ResNet-200", "tab:purple"),
    "resnext101_32x4d": ("ResNeXt-101", "tab:green"),
    "dpn98": ("DPN-98", "tab:orange"),
    "dpn131": ("DPN-131", "tab:red"),
}
OURS = dict(zip(OWN, ("tab:blue", "tab:orange", "tab:green")))
UNITS = {None: "plain", "glore": "with GloRe units", "nonlocal": "with non-local blocks"}


def main(argv=None):
    """Draw the picture; returns the exit code: 0, or 2 for what can't be used."""
    parser = ArgumentParser(
        prog="python -m train.paper.accuracy_cost",
        description="Draw accuracy against multiply-adds: the paper's Table 2, and our own.",
    )
    parser.add_argument(
        "runs", nargs="*", metavar="RUN", help="directory of a run, drawn as a star"
    )
    parser.add_argument("--out", required=True, metavar="FILE.png", help="the picture")
    args = parser.parse_args(argv)

    def command():
        left, right = published(), measured()
        for path in args.runs:
            point, classes = of_run(path)
            (left if classes == IMAGENET else right).append(point)
        with naming(args.out):
            draw(left, right, args.out)

    return exit_code(command)


def published():
    """The `Point`s of Table 2."""
    return [_published(row) for row in tables()["Table 2"].rows]


def _published(row):
    """The `Point` of a `Row` of a table."""
    units = row.network[len(row.plain) :].replace("_glore_", "").replace("_", ", ")
    label = f"({units})" if units else FAMILIES[row.plain][0]
    kind, sizes = kind_of(get_spec(row.network)), network_size(row.network)
    return Point(label, row.network, kind, row.plain, *sizes, *row.scores)


def measured():
    """The `Point`s of `OWN`. Raises InputError naming a file that has no rows of a study."""
    points = []
    for title, path in OWN.items():
        try:
            for row in read_rows(path):
                figures = (row[key] for key in ("parameters", "macs", "mean", "deviation"))
                kind = kind_of(model_spec(Model(row["model"], row.get("units", {}))))
                points.append(Point(row["name"], row["model"], kind, title, *figures))
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{path}: no rows of a study") from None
    return points


def of_run(path):
    """(the `Point` of a run's last evaluation, its number of classes).

    Raises InputError where there is no run, it measures something else or is not evaluated yet.
    """
    run = read_run(path)
    if run.metrics != CLASSIFICATION:
        score = TITLES[run.metrics.score]
        raise InputError(f"{path}: measures {score}, only runs that measure top-1 are drawn")
    if not run.evaluations:
        raise InputError(f"{path}: not evaluated yet")
    model, top1 = run.config["model"], 100 * run.figures()["top1"]
    try:
        kind, sizes = kind_of(run_spec(run.config)), run_size(run.config)
    except InputError as error:
        raise InputError(f"{path}/{CONFIG_FILE}: {error}") from None
    point = Point(Path(path).name, model["name"], kind, "", *sizes, top1, run=True)
    return point, model["classes"]


def kind_of(spec):
    """Kind of a network's extra units, as "glore", None of a plain one."""
    return next((extra.kind for extra in spec.extras), None)


def draw(left, right, path):
    """Draw the points of both panels as PNG; returns the `Panel`s and their texts, for tests."""
    figure, axes = pyplot().subplots(1, 2, figsize=(14, 6.5), dpi=100, width_ratios=(3, 2))
    families = {family: color for family, (_, color) in FAMILIES.items()}
    panels = [
        Panel(axes[0], left, families, unit=1e9, area=6e-6),
        Panel(axes[1], right, OURS, unit=1e6, area=4e-4),
    ]
    axes[0].set(
        title="ImageNet: accuracies as printed, costs as counted here",
        xlabel="multiply-adds of a picture, G",
        ylabel="top-1, %",
    )
    axes[1].set(
        title="ours, trained here, each on its own data",
        xlabel="multiply-adds of a sample, M",
        ylabel="top-1 on unseen samples, %",
    )
    for panel in panels:
        panel.draw()
    _legends(axes, left + right)
    figure.tight_layout()
    figure.canvas.draw()
    texts = [panel.label() for panel in panels]
    save(figure, path)
    return panels, texts


def _legends(axes, points):
    """Left what marks stand for, right which data have which color."""
    for label, point in {_mark(point): point for point in points}.items():
        axes[0].scatter([], [], s=90, label=label, **point.style("grey"))
    axes[0].legend(loc="lower right", title="area: parameters. (2, 3): units in Res3, Res4")
    for group in dict.fromkeys(point.group for point in points if point.group in OURS):
        axes[1].scatter([], [], s=90, label=group, color=OURS[group])
    axes[1].legend(loc="best", title="bars: deviation over seeds")


def _mark(point):
    """What a point's mark stands for, in words."""
    units = UNITS.get(point.units, f"with {point.units} units")
    return f"run, {units}" if point.run else units


if __name__ == "__main__":
    sys.exit(main())
