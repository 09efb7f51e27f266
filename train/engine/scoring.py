"""What the commands share that evaluate a run: options, processes, and the files they write."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Sequence

import mxnet as mx

from gluon_glore.utils.arguments import ArgumentParser, positive_int, share
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError, naming
from gluon_glore.utils.files import write_text
from gluon_glore.weights.manifest import params_of

from ..data.bad_records import BadRecords
from ..reporting.metrics import TITLES
from ..reporting.versions import versions
from .comm import make_comm, tells
from .predictions import Predictions, write_predictions


@dataclass(frozen=True)
class Scored:
    """An evaluation: what its file in JSON says, and what the network says of each sample.

    `class_names` are the network's; `note` ends the line that is printed.
    """

    figures: Dict[str, object]
    predictions: Optional[Predictions] = None
    class_names: Sequence[str] = ()
    note: str = ""


def options(module, doc, data):
    """The command line of what evaluates runs: RUN, --data, --threads, --max-bad and the outputs.

    `data` is the metavar and the help of --data, None where it is to be the run's own.
    """
    parser = ArgumentParser(prog=f"python -m {module}", description=doc.splitlines()[0])
    parser.add_argument("model", metavar="RUN", help="a run's directory, or a checkpoint's")
    parser.add_argument("--data", metavar=data[0], help=data[1])
    parser.add_argument("--threads", type=positive_int, default=2, help="decoding, a process (2)")
    parser.add_argument("--max-bad", type=share, default=0.01, help="share allowed (0.01)")
    parser.add_argument(
        "--results", "--out", dest="out", metavar="FILE.json", help="write the figures there too"
    )
    return parser


def add_predictions(parser):
    """Add --predictions, of the commands whose `Scored` has predictions."""
    parser.add_argument(
        "--predictions", metavar="FILE.csv", help="write a line a sample: the five best classes"
    )


def score(prepare, out, unit="pictures", predictions=None):
    """Evaluate on one process or, under horovodrun, on several; print and write the result.

    `prepare()` gives the data set of `unit`, its configuration and `evaluate(comm, bad)`, which
    returns a `Scored` and may raise InputError. `out` and `predictions` are the files to write,
    None for none. Returns the exit code: 0, or 2 for what can't be used.
    """

    def command():
        _check_files(out, predictions)
        dataset, config, evaluate = prepare()
        comm = make_comm()
        scored = evaluate(comm, BadRecords(dataset, comm, config.data.max_bad))
        if comm.rank == 0:
            print(_line(scored, dataset, unit), flush=True)
        comm.shutdown()
        if comm.rank == 0 and out:
            write_result(out, scored.figures)
        if comm.rank == 0 and predictions:
            write_predictions(predictions, scored.predictions, dataset, scored.class_names)

    return exit_code(command, tells)


def _check_files(out, predictions):
    """Raise InputError, before hours of computing, where the files can't be written in the end."""
    for file in filter(None, (out, predictions)):
        if Path(file).is_dir():
            raise InputError(f"{file}: a folder, the name of a file is needed")
    if out and predictions and Path(out).resolve() == Path(predictions).resolve():
        raise InputError(f"{out}: both --results and --predictions, give two names")


def _line(scored, dataset, unit):
    """The figures in words."""
    figures = scored.figures
    told = {key: f"{TITLES[key]} {figures[key]:.4f}" for key in TITLES if key in figures}
    if "top1_interval" in figures:
        low, high = figures["top1_interval"]
        told["top1"] += f" (95 % interval {low:.4f} to {high:.4f})"
    if "calibration_error" in figures:
        told["calibration"] = f"calibration error {figures['calibration_error']:.4f}"
    return (
        f"{figures['model']}: {', '.join(told.values())}, loss {figures['loss']:.4f} on "
        f"{figures['samples']} of {len(dataset)} {unit} of {dataset.path}{scored.note}"
    )


def place(net, comm):
    """Hybridize a network and move it to this rank's GPU if there is one; returns its context."""
    net.hybridize(static_alloc=True, static_shape=True)
    if mx.context.num_gpus():
        net.collect_params().reset_ctx(mx.gpu(comm.local_rank))
    return net.output.weight.list_ctx()[0]


def origin(model, manifest):
    """What was evaluated, and by what: the `model` as it was given, its weights, the versions."""
    return {
        "run": str(model),
        "weights_sha256": manifest.sha256[params_of(model, manifest).name],
        "versions": versions(),
    }


def result_of(model, dataset, bad, meter, own) -> Scored:
    """An evaluation as a `Scored`: loss, figures, speed, counts, and the settings of its own."""
    figures = {
        "model": model,
        "data": str(dataset.path),
        **own,
        "loss": float(meter.loss),
        **{key: float(value) for key, value in meter.figures.items() if value is not None},
        "images_per_second": round(meter.images_per_second, 2),
        "samples": meter.samples,
        "bad_records": len(bad.known),
    }
    return Scored(figures)


def write_result(path, result):
    """Write a result as JSON. Raises InputError where it can't."""
    with naming(path):
        write_text(path, json.dumps(result, indent=2) + "\n")
