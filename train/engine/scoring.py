"""What the commands share that evaluate a run: options, processes, and the result's file."""

import json

import mxnet as mx

from gluon_glore.utils.arguments import ArgumentParser, positive_int, share
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import naming
from gluon_glore.utils.files import write_text

from ..data.bad_records import BadRecords
from ..reporting.metrics import TITLES
from .comm import make_comm, tells


def options(module, doc, data):
    """The command line of what evaluates runs: RUN, --data, --threads, --max-bad and --out.

    `data` is the metavar and the help of --data, None where it is to be the run's own.
    """
    parser = ArgumentParser(prog=f"python -m {module}", description=doc.splitlines()[0])
    parser.add_argument("model", metavar="RUN", help="a run's directory, or a checkpoint's")
    parser.add_argument("--data", metavar=data[0], help=data[1])
    parser.add_argument("--threads", type=positive_int, default=2, help="decoding, a process (2)")
    parser.add_argument("--max-bad", type=share, default=0.01, help="share allowed (0.01)")
    parser.add_argument("--out", metavar="FILE.json", help="write the result there too")
    return parser


def score(prepare, out, unit="pictures"):
    """Evaluate on one process or, under horovodrun, on several; print and write the result.

    `prepare()` gives the data set of `unit`, its configuration and `evaluate(comm, bad)`, which
    returns what `result_of` does and may raise InputError. Returns the exit code: 0, or 2 for
    what can't be used.
    """

    def command():
        dataset, config, evaluate = prepare()
        comm = make_comm()
        result = evaluate(comm, BadRecords(dataset, comm, config.data.max_bad))
        if comm.rank == 0:
            figures = (f"{TITLES[key]} {result[key]:.4f}" for key in TITLES if key in result)
            print(
                f"{result['model']}: {', '.join(figures)}, loss {result['loss']:.4f} on "
                f"{result['samples']} of {len(dataset)} {unit} of {dataset.path}",
                flush=True,
            )
        comm.shutdown()
        if out and comm.rank == 0:
            write_result(out, result)

    return exit_code(command, tells)


def place(net, comm):
    """Hybridize a network and move it to this rank's GPU if there is one; returns its context."""
    net.hybridize(static_alloc=True, static_shape=True)
    if mx.context.num_gpus():
        net.collect_params().reset_ctx(mx.gpu(comm.local_rank))
    return net.output.weight.list_ctx()[0]


def result_of(model, dataset, bad, meter, own):
    """An evaluation as a dictionary: loss, figures, speed, counts, and the settings of its own."""
    return {
        "model": model,
        "data": str(dataset.path),
        **own,
        "loss": float(meter.loss),
        **{key: float(value) for key, value in meter.figures.items() if value is not None},
        "images_per_second": round(meter.images_per_second, 2),
        "samples": meter.samples,
        "bad_records": len(bad.known),
    }


def write_result(path, result):
    """Write a result as JSON. Raises InputError where it can't."""
    with naming(path):
        write_text(path, json.dumps(result, indent=2) + "\n")
