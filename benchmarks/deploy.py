"""Latency, images a second and memory of deployed networks, beside what a user could run instead.

    python -m benchmarks.deploy [--network resnet50 resnet50_glore_2_3 FOLDER] [--batch 1 8 16]

Every competitor of `competitors.py` that is installed runs the same weights in a process of its
own, and they take turns; numpy pixels in, numpy logits out. A network may be any exported folder:
then its runtimes take turns. The share of the peak is the network's multiply-adds a second, two
operations each, over those of the fastest float32 matrix product of the same round; competitors in
bfloat16 or integers may exceed it. `--entry` runs a zoo entry in place of random weights, `--also`
exports of the same network in other precisions beside the folder named.
`--calibration FILE.rec` has the pictures that exports in integers are calibrated with (random
ones).
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path
from statistics import median

from gluon_glore.export.files import read_files
from gluon_glore.utils.cpu import prepare_cpu
from gluon_glore.utils.errors import InputError
from gluon_glore.weights.deployment import PRECISIONS
from gluon_glore.weights.manifest import MANIFEST, parse_manifest

from .competitors import COMPETITORS, PEAK_SIZE, Job
from .networks import export, network, write_entry, write_pictures
from .paired import add_options, machine, serve_passes_of, take_turns, write_result

NETWORKS = ["resnet50", "resnet50_glore_2_3", "resnet50_glore_2_3_post"]
ANY = 1.0  # tolerance of lower precision: random weights have no accuracy to lose
PACKAGES = ("mxnet", "openvino", "onnxruntime", "torch", "numpy")


def work(label, name, folder, batch, threads):
    """Serve passes of a competitor."""
    serve_passes_of(lambda: COMPETITORS[label].make(Job(name, Path(folder), batch, threads)))


def prepare(name, folder, rows, entry=None, calibration=None):
    """Write what the competitors need to a folder; returns why some can't run, {label: reason}."""
    if entry:
        shutil.copytree(entry, folder / "entry")
    else:
        write_entry(network(name), folder / "entry")
    if calibration is None:
        calibration = folder / "pictures.rec"
        write_pictures(calibration, network(name))
    wanted = {row.precision for row in rows if row.exported}
    failed, tolerance = {}, None if entry else ANY
    for precision in PRECISIONS:
        if precision in wanted:
            failed[precision] = export(
                folder / "entry", folder / precision, precision, calibration, tolerance
            )
    reasons = {row.label: row.lack or row.exported and failed[row.precision] for row in rows}
    return {label: reason for label, reason in reasons.items() if reason}


def prepare_export(given, folder, rows):
    """`prepare` for exported folders `given`, each of which runs in its own precision alone.

    Raises InputError where two are of one precision, or of other inputs.
    """
    inputs = {}
    for path in given:
        deployment = read_files(path).manifest.deployment
        if deployment.precision in inputs:
            raise InputError(f"{path}: another folder is exported in {deployment.precision}, too")
        inputs[deployment.precision] = deployment.shape, deployment.dtype
        if len(set(inputs.values())) > 1:
            raise InputError(f"{path} takes another input than {given[0]}")
        shutil.copytree(path, folder / deployment.precision)
    exported_in = " and ".join(inputs)
    return {
        row.label: row.lack or f"the folder is exported in {exported_in}"
        for row in rows
        if row.lack or not (row.peak or row.exported and row.precision in inputs)
    }


def count_macs(name):
    """Multiply-adds at batch 1 of a registered network or an exported folder, None of integers."""
    from gluon_glore.plan.complexity import count_spec, totals

    if not Path(name).is_dir():
        return totals(count_spec(network(name)))[1]
    files = read_files(name)
    if files.manifest.deployment.precision == "int8":
        return None
    import mxnet as mx

    from gluon_glore.networks.complexity import count

    return totals(count(mx.sym.load(os.fspath(files.symbol)), files.sample_shape[1:]))[1]


def float32_units(folder):
    """The units that the exports kept in float32: {precision: {file: [unit, ...]}}."""
    kept = {}
    for precision in PRECISIONS[1:]:
        if (folder / precision / MANIFEST).is_file():
            deployment = parse_manifest(folder / precision / MANIFEST).deployment
            kept[precision] = {file: list(units) for file, units in deployment.float32.items()}
    return kept


def summarize(answers, batch, macs):
    """Figures of each competitor from `take_turns`'s answers: `(rows, peak)`.

    Speeds of a round are made of its medians; ratios and shares are formed within a round.
    """
    seconds = {label: [median(turn["seconds"]) for turn in answers[label]] for label in answers}
    products = {label: s for label, s in seconds.items() if COMPETITORS[label].peak}
    networks = {label: s for label, s in seconds.items() if not COMPETITORS[label].peak}
    best = min(products, key=lambda label: median(products[label]), default=None)
    operations = 2 * PEAK_SIZE**3
    peak = {label: operations / median(s) / 1e9 for label, s in products.items()}
    baselines, rows = fastest_baselines(networks), {}
    for label, own in networks.items():
        passes = sorted(1000 * s for turn in answers[label] for s in turn["seconds"])
        row = rows[label] = {
            "precision": COMPETITORS[label].precision,
            "latency_ms_p50": median(passes),
            "latency_ms_p99": passes[min(len(passes) - 1, int(0.99 * len(passes)))],
            "images_per_second": batch / median(own),
            "peak_mib": max((turn["peak_mib"] or 0) for turn in answers[label]) or None,
        }
        if best and macs:
            work = 2 * macs * batch / operations
            row["share_of_peak"] = median(work * p / s for p, s in zip(products[best], own))
        for baseline, other in baselines.items():
            row[f"over_{baseline}"] = median(theirs / s for theirs, s in zip(networks[other], own))
    return rows, {"library": best, "gflops": peak}


def fastest_baselines(seconds, competitors=COMPETITORS):
    """{baseline: the label of its competitor with the lowest median}, of those that ran."""
    fastest = {}
    for label in sorted(seconds, key=lambda label: -median(seconds[label])):
        if competitors[label].baseline:
            fastest[competitors[label].baseline] = label
    return fastest


def run(name, batch, args, folder, reasons, rows):
    """Let all that can run take turns; returns the result."""
    passes = max(3, 24 // batch)
    fields = {"name": name, "folder": str(folder), "batch": batch, "threads": args.threads}
    load = os.getloadavg()[0]
    answers, left_out = take_turns(
        "benchmarks.deploy",
        {row.label: {"label": row.label, **fields} for row in rows if row.label not in reasons},
        args.rounds,
        args.threads,
        passes=passes,
    )
    left_out = {label: why.replace(f"{folder}/", "") for label, why in left_out.items()}
    macs = count_macs(name)
    weights = "a zoo entry's" if args.entry else "random, settled"
    if Path(name).is_dir():
        weights = "of the exported folder"
    competitors, peak = summarize(answers, batch, macs)
    result = {
        "command": f"python -m benchmarks.deploy --network {title(name)} --batch {batch}"
        + "".join(f" --also {title(also)}" for also in args.also)
        + " --entry ENTRY" * bool(args.entry)
        + " --calibration FILE.rec" * bool(args.calibration),
        "network": title(name),
        "weights": weights,
        "batch": batch,
        "rounds": args.rounds,
        "passes": passes,
        "machine": machine(args.threads, PACKAGES),
        "load_before": load,
        "macs": macs,
        "peak": peak,
        "competitors": competitors,
        "float32_units": float32_units(folder),
        "not_run": {
            **reasons,
            **{label: w.replace(f"{folder}/", "") for label, w in left_out.items()},
        },
    }
    shares = {"share_of_peak": "the peak", "over_pytorch_fp32": "PyTorch fp32"}
    for label, row in competitors.items():
        told = [f"{row[key]:.2f} of {what}" for key, what in shares.items() if key in row]
        print(
            f"  {label:28} {row['latency_ms_p50']:8.1f} ms {row['images_per_second']:7.1f} images/s"
            f" {row['peak_mib'] or 0:6.0f} MiB  {'  '.join(told)}"
        )
    for label, reason in result["not_run"].items():
        print(f"  {label:28} not run: {reason}")
    return result


def title(name):
    """What a network is called: its name, that of an exported folder without its place."""
    return Path(name).resolve().name if Path(name).is_dir() else name


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--network", nargs="+", default=NETWORKS, help="names, NAME_post, exported folders"
    )
    parser.add_argument("--only", nargs="+", metavar="LABEL", help="competitors (all)")
    parser.add_argument("--entry", help="zoo entry to run, of the one network named")
    parser.add_argument(
        "--also", nargs="+", default=[], metavar="FOLDER", help="the folder in other precisions"
    )
    parser.add_argument("--calibration", help="pictures for INT8, RecordIO")
    parser.add_argument("--out", help="folder for the results (benchmarks/results)")
    add_options(parser, batch=[1, 8, 16])
    args = parser.parse_args(argv)
    if args.worker:
        return work(**json.loads(args.worker))

    if args.also and not (len(args.network) == 1 and Path(args.network[0]).is_dir()):
        parser.error("--also is for one exported folder")
    prepare_cpu()
    rows = [COMPETITORS[label] for label in args.only or COMPETITORS]
    for name in args.network:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            if Path(name).is_dir():
                reasons = prepare_export([name, *args.also], folder, rows)
            else:
                reasons = prepare(name, folder, rows, args.entry, args.calibration)
            for batch in args.batch:
                print(f"{name}, batch {batch}", flush=True)
                result = run(name, batch, args, folder, reasons, rows)
                print(write_result(f"deploy_{title(name)}_batch{batch}", result, args.out))


if __name__ == "__main__":
    main()
