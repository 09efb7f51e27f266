"""`make study`: train the networks of a study on several seeds each, and write the results down.

    python -m train.paper.study NAME --out DIR --report DIR [--seeds N] [--config FILE]

One run a core at a time. A run that is finished is not run again, one that was stopped goes on.
Writes NAME.json, from which `train.paper.study_report` makes tables and pictures, and for most
studies NAME-examples.png.
"""

import json
import math
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gluon_glore.utils.arguments import ArgumentParser, positive_int
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.cpu import cores
from gluon_glore.utils.files import write_text
from gluon_glore.weights.run_folder import checkpoints

from ..reporting.runs import read_run
from .studies import STUDIES


def main():
    """Run a study as the command line says; returns the exit code, 1 where a run failed."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", choices=STUDIES)
    parser.add_argument("--out", type=Path, required=True, help="directory of the runs")
    parser.add_argument("--report", type=Path, required=True, help="directory of the results")
    parser.add_argument("--seeds", type=positive_int, help="of each network (the study's)")
    parser.add_argument("--config", help="another configuration than the study's")
    args = parser.parse_args()
    study = STUDIES[args.study]
    seeds = range(args.seeds or study.seeds)
    config = args.config or study.config

    def path(name, seed):
        return args.out / args.study / f"{name}-{seed}"

    # Seeds outermost: a study that is cut short has all rows, of fewer seeds.
    jobs = [(name, seed) for seed in seeds for name in study.variants]
    with ThreadPoolExecutor(cores()) as pool:
        codes = list(pool.map(lambda job: run(study, config, *job, path(*job)), jobs))
    failed = [str(path(*job)) for job, code in zip(jobs, codes) if code]
    if failed:
        print(f"error: {', '.join(failed)}: see log.txt there", file=sys.stderr)
        return 1

    def write():
        rows = {
            name: summarize(study, variant, [path(name, seed) for seed in seeds])
            for name, variant in study.variants.items()
        }
        result = {"seeds": len(seeds), "config": recipe(path(*jobs[0])), "rows": rows}
        write_text(args.report / f"{args.study}.json", json.dumps(result, indent=1) + "\n")
        if study.draw_examples:
            study.draw_examples(path(study.shown, 0), args.report / f"{args.study}-examples.png")

    return exit_code(write)


def run(study, config, name, seed, out):
    """Train one variant with one seed on one core; returns the exit code."""
    if (out / "summary.json").exists():
        return 0
    out.mkdir(parents=True, exist_ok=True)
    variant = study.variants[name]
    settings = (
        f"model.name={variant.model}",
        f"model.units={json.dumps(variant.units)}",
        f"seed={seed}",
        *variant.settings,
    )
    command = [sys.executable, "-m", study.trainer, "--config", config, "--out", str(out)]
    for setting in settings:
        command += ["--set", setting]
    if checkpoints(out):
        command.append("--resume")
    print(f"{name}, seed {seed}", flush=True)
    with open(out / "log.txt", "a") as log:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, stdout=log, stderr=log, env=environment).returncode


def summarize(study, variant, paths):
    """A variant's row: its network and size, and the results of its runs, one a seed.

    `top1` is the last evaluation's, `curves` those of all epochs, in per cent; `losses` are the
    evaluations', None where one is not finite; `trained` is the accuracy in training by epoch, in
    per cent, of augmented pictures; `seconds` are of one core.
    """
    runs = [read_run(path) for path in paths]
    parameters, macs = study.size(runs[0].config)
    figures = [run.figures() for run in runs]
    top1 = [100 * of_run["top1"] for of_run in figures]
    return {
        "name": variant.label,
        "model": variant.model,
        "units": variant.units,
        "settings": list(variant.settings),
        "parameters": parameters,
        "macs": macs,
        "top1": top1,
        "mean": statistics.mean(top1),
        "deviation": statistics.stdev(top1) if len(top1) > 1 else 0.0,
        "curves": [[100 * row["top1"] for row in run.evaluations] for run in runs],
        "trained": [[100 * row["top1"] for row in run.training_by_epoch()] for run in runs],
        "losses": [[finite(row["loss"]) for row in run.evaluations] for run in runs],
        "seconds": [of_run["seconds"] for of_run in figures],
    }


def finite(number):
    """The number, None where it is infinite or nan: JSON has neither."""
    return number if math.isfinite(number) else None


def recipe(path):
    """The configuration of a run, without what differs between those of a study."""
    config = read_run(path).config
    config["model"] = {k: v for k, v in config["model"].items() if k not in ("name", "units")}
    return {key: value for key, value in config.items() if key != "seed"}


if __name__ == "__main__":
    sys.exit(main())
