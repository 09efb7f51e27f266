"""Write docs/reproduction.md: every table and figure of the paper beside what this project has.

    python -m train.paper.reproduction

All numbers come from docs/paper.yaml, the catalogue of weights, the configs, the sizes counted on
the networks, and the results of the studies.
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
from .tables import PAPER, ROOT, tables

PAGE = ROOT / "docs" / "reproduction.md"
CONFIGS = {"imagenet": Config, "cityscapes": SceneConfig, "kinetics": VideoConfig}
TRAINERS = {folder: f"train.{folder}" for folder in CONFIGS}
NEEDS = {"imagenet": "ImageNet", "cityscapes": "Cityscapes", "kinetics": "Kinetics"}
HEAD = """# Reproduction

Written by `python -m train.paper.reproduction`. Each table and figure of the paper ([arXiv
1811.12814](https://arxiv.org/abs/1811.12814)): its numbers, ours, and the command. None of the
networks below was trained here on the paper's data: two cores, no ImageNet, Cityscapes or
Kinetics. What was trained instead is [at the end](#what-was-trained-here).

- **printed**: in the paper's table, as far as it is known here. A dash is a number that was not to
  be had, not one that is missing in the paper. Sources: [paper.yaml](paper.yaml).
- **counted**: on the network's graph, as `python -m gluon_glore info NAME` does; bold where it does
  not round to what is printed. Each bold one is a strict xfail with its reason in
  `tests/networks/test_complexity.py`.
- **claimed**: by the README of the [authors' release](https://github.com/facebookresearch/GloRe).
  Its weights could not be downloaded here: nobody checked these. With an asterisk: by those who
  made the plain network, with another recipe.
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
    parts = [head.rstrip(), *map(section, tables().values()), figures(), own()]
    return "\n\n".join(parts) + "\n"


def speed():
    """Multiply-adds a second of training on the GPU that docs/paper.yaml names."""
    gpu = PAPER["gpu"]
    return 3 * network_size(gpu["network"])[1] * gpu["images_per_second"]


def days(row, table):
    """Days of that GPU to train a row of a table as its config says."""
    optim = load_config(ROOT / row.config, cls=CONFIGS[table.folder]).optim
    samples = optim.epochs * (optim.epoch_samples or table.samples)
    return 3 * network_size(row.network)[1] * samples / speed() / 86400


def section(table):
    """A table of the paper as Markdown: heading, note, rows, command."""
    lines = [f"## {table.name}: {table.title}", "", table.note, ""]
    lines += [
        "| network | parameters (M), printed | counted | multiply-adds (G), printed | counted | "
        f"{table.score} (%), claimed | ours | config |",
        "|---|---:|---:|---:|---:|---:|---|---|",
    ]
    for row in table.rows:
        parameters, macs = network_size(row.network)
        cells = [
            f"`{row.network}`",
            *_pair(row.parameters, parameters / 1e6),
            *_pair(row.gflops, macs / 1e9),
            "–" if row.accuracy is None else f"{row.accuracy}{'*' * row.makers}",
            f"not run: {days(row, table):.1f} GPU-days",
            f"`{arguments(row)}`",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    sources = [
        f"[`{r.network}`]({PAPER['makers'][r.network]['source']})" for r in table.rows if r.makers
    ]
    if sources:
        lines += ["", f"\\* {', '.join(sources)}"]
    needs = f"<!-- needs: {NEEDS[table.folder]}, GPU -->"  # as tests/docs/docs_world.py reads it
    lines += ["", needs, "```sh", command(table), "```"]
    return "\n".join(lines)


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
    """The figures, a row each, and ours of Figure 4."""
    rows = [f"| {name} | {f['shows']} | {f['here']} |" for name, f in PAPER["figures"].items()]
    lines = ["## Figures", "", "What Figures 3 to 6 show is as remembered.", ""]
    lines += ["| figure | shows | here |", "|---|---|---|", *rows]
    lines += [
        "",
        "![accuracy against multiply-adds, as claimed on ImageNet and of our own small networks]"
        "(accuracy_cost.png)",
    ]
    return "\n".join(lines)


def own():
    """The networks that were trained here instead, from the results of the studies."""
    lines = [
        "## What was trained here",
        "",
        "Small networks on small data, two cores. All that Table 1 varies:",
        "[ablations.md](ablations.md).",
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
        ("Table 1", "[digit pairs](ablations.md)", "study/pairs.json"),
        ("Table 1", "[digit triples](ablations.md)", "study/triples.json"),
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
