"""`make study`: the same small network plain, with a non-local block and with a GloRe unit.

Each variant trains on several seeds, one run a core; a run that is finished is not run again.
Writes study.json, the pictures study.png and examples.png, and prints a Markdown table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gluon_glore.atomic import write_text
from gluon_glore.classify import load_classifier
from gluon_glore.complexity import count_network, totals
from gluon_glore.errors import positive_int
from gluon_glore.image import decode_image
from gluon_glore.manifest import checkpoints
from gluon_glore.models import get_model

from .plot import pyplot, save
from .records import RecordDataset
from .runs import METRICS, read_metrics

# Row of the table, and the network; None is a place left for what is not run yet.
VARIANTS = {"plain": "tiny", "non-local": None, "GloRe": "tiny_glore_0_1"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True, help="directory of the runs")
    parser.add_argument("--report", default="docs/study", help="directory of table and picture")
    parser.add_argument("--seeds", type=positive_int, default=5)
    args = parser.parse_args()

    jobs = [
        (model, seed, Path(args.out) / f"{model}-{seed}")
        for seed in range(args.seeds)
        for model in VARIANTS.values()
        if model
    ]
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        codes = list(pool.map(lambda job: run(args.config, *job), jobs))
    if any(codes):
        failed = [str(job[2]) for job, code in zip(jobs, codes) if code]
        print(f"error: {', '.join(failed)}: see log.txt there", file=sys.stderr)
        return 1

    rows = [summarise(name, model, args) for name, model in VARIANTS.items()]
    report = Path(args.report)
    write_text(report / "study.json", json.dumps({"seeds": args.seeds, "rows": rows}, indent=2))
    draw_curves(rows, Path(args.out), report / "study.png")
    draw_examples(Path(args.out) / f"{VARIANTS['GloRe']}-0", report / "examples.png")
    print(table(rows))
    return 0


def run(config, model, seed, out):
    """Train one variant with one seed on one core; returns the exit code."""
    if (out / "summary.json").exists():
        return 0
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "train.imagenet", "--config", config, "--out", str(out)]
    command += ["--set", f"model.name={model}", "--set", f"seed={seed}"]
    if checkpoints(out):
        command.append("--resume")
    print(f"{model}, seed {seed}", flush=True)
    with open(out / "log.txt", "a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, stdout=log, stderr=log, env=environment).returncode


def summarise(name, model, args):
    """One row of the table: accuracies in per cent, parameters, multiply-adds."""
    if model is None:
        return {"name": name, "model": None}
    summaries = [
        json.loads((Path(args.out) / f"{model}-{seed}" / "summary.json").read_text())
        for seed in range(args.seeds)
    ]
    top1 = [100 * summary["top1"] for summary in summaries]
    parameters, macs = totals(count_network(get_model(model, classes=2)))
    return {
        "name": name,
        "model": model,
        "top1": top1,
        "mean": statistics.mean(top1),
        "deviation": statistics.stdev(top1) if len(top1) > 1 else 0.0,
        "parameters": parameters,
        "macs": macs,
    }


def table(rows):
    """The rows as a Markdown table."""
    lines = [
        "| network | parameters | multiply-adds | accuracy on unseen digits |",
        "|---|---|---|---|",
    ]
    for row in rows:
        if row["model"] is None:
            lines.append(f"| {row['name']} | – | – | not run yet |")
            continue
        accuracy = f"{row['mean']:.1f} ± {row['deviation']:.1f} %"
        size = f"{row['parameters'] / 1e6:.2f} M | {row['macs'] / 1e6:.1f} M"
        lines.append(f"| {row['name']} (`{row['model']}`) | {size} | {accuracy} |")
    return "\n".join(lines)


def draw_curves(rows, runs, path):
    """Test accuracy by epoch, a line a seed."""
    figure, axes = pyplot().subplots(figsize=(6, 3.5), dpi=120)
    for row, colour in zip(rows, ("tab:grey", "tab:blue", "tab:red")):
        for seed in range(len(row.get("top1", ()))):
            _, points = read_metrics(runs / f"{row['model']}-{seed}" / METRICS)
            epochs = [p["epoch"] + 1 for p in points]
            label = row["name"] if seed == 0 else None
            axes.plot(epochs, [100 * p["top1"] for p in points], color=colour, label=label)
    axes.set(xlabel="epoch", ylabel="accuracy on unseen digits, %", ylim=(40, 100))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    save(figure, path)


def draw_examples(run, path):
    """Pairs of unseen digits, and what the network says of them; mistakes in red."""
    config = json.loads((run / "summary.json").read_text())["config"]
    dataset = RecordDataset(config["data"]["val"], classes=2)
    classifier = load_classifier(run)
    figure, grid = pyplot().subplots(2, 6, figsize=(9, 3.6), dpi=120)
    for i, axes in enumerate(grid.flat):
        data, label = dataset[i]
        picture = decode_image(data, channels=1)
        ((name, probability),) = classifier.classify(picture, top=1)
        right = name == classifier.manifest.class_names[label]
        axes.imshow(picture[:, :, 0], cmap="gray")
        axes.set_title(f"{name} {probability:.0%}", fontsize=9, color="black" if right else "red")
        axes.axis("off")
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
