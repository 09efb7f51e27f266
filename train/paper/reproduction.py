"""Write docs/reproduction.md: every table and figure of the paper beside what this project has.

    python -m train.paper.reproduction

All numbers come from docs/paper.yaml (the paper as printed), the catalogue of weights (the
release's README), the configs, the sizes counted on the networks, and the results of the studies.
"""

import json
import sys

from gluon_glore.utils.files import write_text

from ..config.cityscapes import SceneConfig
from ..config.kinetics import VideoConfig
from ..config.load import load_config
from ..config.sections import Config
from ..reporting.size import network_size
from .study_report import read_rows
from .tables import PAPER, ROOT, sections, tables

PAGE = ROOT / "docs" / "reproduction.md"
CONFIGS = {"imagenet": Config, "cityscapes": SceneConfig, "kinetics": VideoConfig}
TRAINERS = {folder: f"train.{folder}" for folder in CONFIGS}
NEEDS = {"imagenet": "ImageNet", "cityscapes": "Cityscapes", "kinetics": "Kinetics"}
HEAD = """# Reproduction

Written by `python -m train.paper.reproduction`. Each table and figure of the paper ([arXiv
1811.12814](https://arxiv.org/abs/1811.12814)): its numbers, ours, and the command. None of the
networks below was trained here on the paper's data: two cores, no ImageNet, Cityscapes or
Kinetics. What was trained instead is [at the end](#what-was-trained-here).

- **printed**: in the paper's table. A dash: [not printed in our copy](#not-printed-in-our-copy), or
  not a row of the paper. Source: [paper.yaml](paper.yaml).
- **counted**: from its layers, as `python -m gluon_glore info NAME` does; bold where it does
  not round to what is printed. Each bold one is a strict xfail with its reason in
  `tests/plan/test_complexity.py`.
- **README**: claimed by that of the [authors' release](https://github.com/facebookresearch/GloRe),
  whose addresses were never reached here: nobody checked it.
- **ours**: not run. The days are what one {name} would take: 3 times the multiply-adds of a pass
  forward, for every sample of every epoch of the config, at {rate:.2f} T multiply-adds a second
  ({flops:.1f} TFLOP/s). So fast NVIDIA trained `{network}` in float32 with MXNet [(source)][gpu]:
  {images_per_second} pictures a second. Its {epochs} epochs took {hours} hours, {check:.1f}
  days for 100. Dilated or grouped convolutions and those in three dimensions use a GPU
  less well, and waiting for data and other GPUs is not in it: take the days as the least.
- **config**: what comes behind `--config`; the whole command, with data and the weights to start
  from, is on top of the file.

[gpu]: {source}
"""


def page():
    """The text of docs/reproduction.md."""
    gpu = PAPER["gpu"]
    check = gpu["hours"] / 24 * 100 / gpu["epochs"]
    head = HEAD.format(rate=speed() / 1e12, flops=2 * speed() / 1e12, check=check, **gpu)
    parts = [head.rstrip(), *map(section, (*tables().values(), *sections().values()))]
    parts += [figures(), not_printed(), independent(), own()]
    return "\n\n".join(parts) + "\n"


def speed():
    """Multiply-adds a second of training on the GPU that docs/paper.yaml names."""
    gpu = PAPER["gpu"]
    return 3 * network_size(gpu["network"])[1] * gpu["images_per_second"]


def days(row, table):
    """Days of that GPU to train a row of a table as its config says."""
    optim = load_config(ROOT / row.config, cls=CONFIGS[table.folder]).optim
    samples = optim.epochs * (optim.epoch_samples or table.samples)
    if optim.iterations:
        samples = optim.iterations * optim.batch_size
    return 3 * network_size(row.network)[1] * samples / speed() / 86400


def section(table):
    """A table of the paper as Markdown: heading, note, rows, command, rows of other authors."""
    lines = [f"## {table.name}: {table.title}", "", table.note, ""]
    columns = [f"{score} (%), printed" for score in table.scores]
    columns += [f"{table.claimed} (%), README"] * bool(table.claimed)
    lines += [
        "| network | parameters (M), printed | counted | multiply-adds (G), printed | counted | "
        f"{' | '.join(columns)} | ours | config |",
        f"|---|---:|---:|---:|---:|{'---:|' * len(columns)}---|---|",
    ]
    digits = _digits(table)
    for row in table.rows:
        parameters, macs = network_size(row.network)
        cells = [
            f"`{row.network}`",
            *_pair(row.parameters, parameters / 1e6),
            *_pair(row.gflops, macs / 1e9),
            *_scores(row, digits),
            *[_claim(row)] * bool(table.claimed),
            f"not run: {days(row, table):.1f} GPU-days",
            f"`{arguments(row)}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    needs = f"<!-- needs: {NEEDS[table.folder]}, GPU -->"  # as tests/docs/docs_world.py reads it
    lines += ["", needs, "```sh", command(table), "```"]
    if table.others:
        lines += ["", "Others in that table, without a counterpart here:", ""]
        lines += [f"| network | {' | '.join(columns[: len(table.scores)])} |"]
        lines += [f"|---|{'---:|' * len(table.scores)}"]
        for name, scores in table.others.items():
            lines.append(f"| {name} | {' | '.join(_number(s, digits) for s in scores)} |")
    return "\n".join(lines)


def _digits(table):
    """The decimals that a table's scores are printed with."""
    scores = (score for row in table.rows for score in row.scores if score is not None)
    return max((len(f"{score}".partition(".")[2]) for score in scores), default=0)


def _number(value, digits):
    """A printed number, a dash for one that is not."""
    return "–" if value is None else f"{value:.{digits}f}"


def _scores(row, digits):
    """The printed scores of a row as text."""
    gain = "" if row.gain is None else f" (+{row.gain:.{digits}f})"
    return [f"{_number(score, digits)}{' (derived)' * row.derived}{gain}" for score in row.scores]


def _claim(row):
    """What the release's README claims of a row, and where its log ends."""
    log = "" if row.log is None else f"; its log {row.log}"
    return f"{_number(row.claimed, 1)}{log}"


def arguments(row):
    """The `--config` of a row; `--set` too where the config is another network's."""
    own = row.config.endswith(f"/{row.network}.yaml")
    return row.config + ("" if own else f" --set model.name={row.network}")


def command(table):
    """The command that trains the rows of a table."""
    return f"horovodrun -np GPUS python -m {TRAINERS[table.folder]} --out runs/NAME --config CONFIG"


def _pair(printed, value):
    """(printed, counted) as text, the latter bold where it does not round to the former."""
    if printed is None:
        return "–", f"{value:.2f}"
    off = round(value, 1) != printed
    return f"{printed}", f"**{value:.2f}**" if off else f"{value:.2f}"


def figures():
    """The figures, a row each, and the pictures that are made here of tables and networks."""
    lines = ["## Figures", "", "| figure | shows | here |", "|---|---|---|"]
    for name, figure in PAPER["figures"].items():
        shows, here = figure.get("shows", "not printed in our copy"), figure.get("here", "–")
        lines.append(f"| {name} | {shows} | {here} |")
    lines += [
        "",
        "Table 2 as a picture, and beside it what was trained here (`python -m",
        "train.paper.accuracy_cost --out docs/accuracy_cost.png`):",
        "",
        "![accuracy against multiply-adds, as printed of ImageNet and of our own small networks]"
        "(accuracy_cost.png)",
        "",
        "Scenes of CamVid, labelled without and with units (`python -m",
        "train.paper.scene_pictures`): [camvid.png](camvid.png).",
    ]
    return "\n".join(lines)


def not_printed():
    """What our copy of the paper does not say: the one place that lists it."""
    lines = ["## Not printed in our copy", ""]
    return "\n".join([*lines, *(f"- {text}" for text in PAPER["not_printed"])])


def independent():
    """What others measured with ports of their own."""
    lines = [
        "## Independent results",
        "",
        "Others' ports, top-1 or mean IoU in per cent, as they give it. None of them was run here.",
        "",
        "| whose | what | figures |",
        "|---|---|---|",
    ]
    for row in PAPER["independent"]:
        lines.append(f"| {row['who']} | {row['what']} | {row['figures']} |")
    return "\n".join(lines)


def own():
    """The networks that were trained here instead, from the results of the studies."""
    lines = [
        "## What was trained here",
        "",
        "Small networks on small data, two cores. What Table 1 and section 4.2",
        "vary: [ablations.md](ablations.md).",
        "",
        "| in the place of | data | network | parameters | multiply-adds | ours |",
        "|---|---|---|---:|---:|---|",
    ]
    for place, data, network, (parameters, macs), figure in _own():
        size = f"{parameters / 1e6:.2f} M | {macs / 1e9:.3f} G"
        lines.append(f"| {place} | {data} | {network} | {size} | {figure} |")
    return "\n".join(lines)


def _own():
    """Yield the rows of `own`: (in the place of, data, network, (parameters, macs), figure)."""
    studies = (
        ("Table 2", "[CIFAR-10](../configs/cifar10)", "cifar10.json"),
        ("Section 4.2", "[digit pairs](ablations.md)", "study/pairs.json"),
        ("Section 4.2", "[digit triples](ablations.md)", "study/triples.json"),
        ("Table 5", "[moving digits](kinetics.md)", "study/moving_digits.json"),
    )
    for place, data, file in studies:
        for row in read_rows(ROOT / "docs" / file):
            seeds = len(row["top1"])
            over = f" ± {row['deviation']:.1f} %, {seeds} seeds" if seeds > 1 else " %, one seed"
            figure = f"top-1 {row['mean']:.{1 if seeds > 1 else 2}f}{over}"
            network = f"`{row['model']}`, {row['name']}"
            yield place, data, network, (row["parameters"], row["macs"]), figure
    camvid = json.loads((ROOT / "docs" / "camvid.json").read_text())["networks"]
    for model, scores in camvid.items():
        figure = f"mean IoU {100 * scores['miou']:.2f} %, one seed"
        yield (
            "Tables 3 and 4",
            "[CamVid](segmentation.md)",
            f"`{model}`",
            network_size(model),
            figure,
        )


def main():
    """Write the page."""
    write_text(PAGE, page())
    print(PAGE.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
