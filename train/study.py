"""`make study`: the same small network plain, with a non-local block and with a GloRe unit.

    python -m train.study NAME --config FILE --out DIR --report DIR [--seeds N]

Each variant trains on several seeds, one run a core; a run that is finished is not run again, one
that was stopped goes on. Writes study.json, the pictures study.png and examples.png, and prints a
Markdown table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Optional

from gluon_glore.atomic import write_text
from gluon_glore.complexity import count_network, totals
from gluon_glore.errors import positive_int
from gluon_glore.manifest import checkpoints
from gluon_glore.models import get_model

from . import study_examples
from .plot import pyplot, save
from .runs import METRICS, read_metrics


@dataclass(frozen=True)
class Study:
    """`trainer` is the module that trains the `variants`: row of the table, and the network.

    A network of None is a place left for what is not run yet. `score` is what the table calls the
    trainer's top-1, `draw_examples(run, path)` draws what the GloRe network says of a few examples.
    """

    title: str
    trainer: str
    variants: Dict[str, Optional[str]]
    draw_examples: Callable[[Path, Path], None]
    score: str = "accuracy on unseen digits"


STUDIES = {
    "digit_pairs": Study(
        "are two distant digits the same?",
        "train.imagenet",
        {"plain": "tiny", "non-local": None, "GloRe": "tiny_glore_0_1"},
        study_examples.draw_pairs,
    ),
    "moving_digits": Study(
        "do two distant digits move the same way?",
        "train.kinetics",
        {"plain": "tiny_3d", "non-local": "tiny_3d_nl_0_1", "GloRe": "tiny_3d_glore_0_1"},
        study_examples.draw_videos,
    ),
}


def main():
    """`python -m train.study STUDY`: train what is not there yet, then write table and pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--config", required=True)
    parser.add_argument("--out", required=True, help="directory of the runs")
    parser.add_argument("--report", required=True, help="directory of table and pictures")
    parser.add_argument("--seeds", type=positive_int, default=5)
    args = parser.parse_args()
    study, out, report = STUDIES[args.study], Path(args.out), Path(args.report)

    jobs = [
        (model, seed, out / f"{model}-{seed}")
        for seed in range(args.seeds)
        for model in study.variants.values()
        if model
    ]
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        codes = list(pool.map(lambda job: run(study.trainer, args.config, *job), jobs))
    if any(codes):
        failed = [str(job[2]) for job, code in zip(jobs, codes) if code]
        print(f"error: {', '.join(failed)}: see log.txt there", file=sys.stderr)
        return 1

    rows = [summarise(name, model, out, args.seeds) for name, model in study.variants.items()]
    write_text(report / "study.json", json.dumps({"seeds": args.seeds, "rows": rows}, indent=2))
    draw_curves(rows, study, out, report / "study.png")
    study.draw_examples(out / f"{study.variants['GloRe']}-0", report / "examples.png")
    print(table(rows, study.score))
    return 0


def run(trainer, config, model, seed, out):
    """Train one variant with one seed on one core; returns the exit code."""
    if (out / "summary.json").exists():
        return 0
    out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", trainer, "--config", config, "--out", str(out)]
    command += ["--set", f"model.name={model}", "--set", f"seed={seed}"]
    if checkpoints(out):
        command.append("--resume")
    print(f"{model}, seed {seed}", flush=True)
    with open(out / "log.txt", "a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, stdout=log, stderr=log, env=environment).returncode


def summarise(name, model, runs, seeds):
    """One row of the table: accuracies in per cent, parameters, multiply-adds."""
    if model is None:
        return {"name": name, "model": None}
    summaries = [
        json.loads((runs / f"{model}-{seed}" / "summary.json").read_text()) for seed in range(seeds)
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


def table(rows, score=Study.score):
    """The rows as a Markdown table."""
    lines = [
        f"| network | parameters | multiply-adds | {score} |",
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


def draw_curves(rows, study, runs, path):
    """Test accuracy by epoch, a line a seed."""
    figure, axes = pyplot().subplots(figsize=(6, 3.5), dpi=120)
    for row, colour in zip(rows, ("tab:grey", "tab:blue", "tab:red")):
        for seed in range(len(row.get("top1", ()))):
            _, points = read_metrics(runs / f"{row['model']}-{seed}" / METRICS)
            epochs = [p["epoch"] + 1 for p in points]
            label = row["name"] if seed == 0 else None
            axes.plot(epochs, [100 * p["top1"] for p in points], color=colour, label=label)
    axes.set(xlabel="epoch", ylabel=f"{study.score}, %", title=study.title, ylim=(30, 102))
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
