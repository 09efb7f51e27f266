"""Seconds of a pass of the 3-D networks: GloRe units, non-local blocks, neither; and in PyTorch.

    python -m benchmarks.video_forward [--network resnet50_3d] [--backward] [--deployed]

Clips of 8x224x224 pixels that are there already; the logits of each pass are waited for. Every
competitor lives in a process of its own with the same random weights, and they take turns.
`--backward` takes a training step, forward and backward in training mode without an update;
`--deployed` adds the GloRe network's export in each runtime. Ratios are to the GloRe network's
seconds in the same round. The claim is that forward it is no slower than with non-local blocks.
"""

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Callable

from gluon_glore.utils.cpu import prepare_cpu
from gluon_glore.weights.deployment import PRECISIONS

from .competitors import Competitor, Job, exported, gluon, make_torch_network, pytorch
from .networks import export, network, write_entry
from .paired import add_options, machine, median_of, serve_passes_of, take_turns, write_result

MODULE = "benchmarks.video_forward"
PACKAGES = ("mxnet", "openvino", "onnxruntime", "torch", "numpy")
BACKBONES = ("resnet50_3d", "resnet101_3d")
PLAIN, GLORE, NONLOCAL = (f"{{}}_{units}kinetics400" for units in ("", "glore_2_3_", "nl_2_3_"))
LIMIT = 1.0  # the claim: seconds forward with GloRe units / with non-local blocks, at most


def gluon_step(job):
    """Forward and backward of the Gluon network, hybridised."""
    import mxnet as mx
    from mxnet import autograd

    from gluon_glore.model_zoo.load import load_network

    net, _ = load_network(job.entry)
    net.hybridize(static_alloc=True, static_shape=True)
    x = mx.nd.array(job.pixels)

    def step():
        with autograd.record():
            y = net(x)
        y.backward()
        mx.nd.waitall()

    return step


def pytorch_step(job, layout="contiguous_format"):
    """Forward and backward of the PyTorch network."""
    import torch

    torch.set_num_threads(job.threads)
    layout = getattr(torch, layout)
    net = make_torch_network(job).train().to(memory_format=layout)
    x = torch.from_numpy(job.pixels).to(memory_format=layout)

    def step():
        net.zero_grad()
        net(x).sum().backward()

    return step


@dataclass(frozen=True)
class Row:
    """A competitor forward and, where it trains, backward too; and the network that it runs.

    `network` has a place for the name of the backbone.
    """

    network: str
    forward: Competitor
    backward: Callable = None


def _gluon(label, name):
    """The row of a network in MXNet."""
    return Row(name, Competitor(f"{label}, MXNet", gluon, "mxnet"), gluon_step)


def _pytorch(label, layout):
    """The row of the GloRe network in PyTorch, in a memory layout."""
    forward = Competitor(f"GloRe, PyTorch {label}", partial(pytorch, layout=layout), "torch")
    return Row(GLORE, forward, partial(pytorch_step, layout=layout))


def _exported(label, runtime):
    """The row of the GloRe network's export in a runtime."""
    make = partial(exported, runtime=runtime, precision=PRECISIONS[0])
    return Row(GLORE, Competitor(f"GloRe, exported, {label}", make, runtime, exported=True))


ROWS = (
    _gluon("GloRe", GLORE),
    _gluon("non-local", NONLOCAL),
    _gluon("plain", PLAIN),
    _pytorch("NCTHW", "contiguous_format"),
    _pytorch("channels-last", "channels_last_3d"),
    _exported("MXNet", "mxnet"),
    _exported("OpenVINO", "openvino"),
    _exported("ONNX Runtime", "onnxruntime"),
)
COMPETITORS = {row.forward.label: row for row in ROWS}
OURS, THEIRS = (row.forward.label for row in ROWS[:2])


def work(label, backbone, folder, batch, threads, backward):
    """Serve passes of a competitor."""
    row = COMPETITORS[label]
    make = row.backward if backward else row.forward.make
    name = row.network.format(backbone)
    job = Job(name, Path(folder) / name, batch, threads)
    serve_passes_of(lambda: make(job))


def prepare(folder, rows, backbone):
    """Fill a folder a network with what the rows need; returns why some can't run."""
    for name in {row.network.format(backbone) for row in rows}:
        place = folder / name
        place.mkdir()
        write_entry(network(name), place / "entry")
    lacks, failed = {row.forward.label: row.forward.lack for row in rows}, None
    if any(row.forward.exported for row in rows):
        place = folder / GLORE.format(backbone)
        failed = export(place / "entry", place / PRECISIONS[0], PRECISIONS[0], None)
    for row in rows:
        if row.forward.exported and failed:
            lacks[row.forward.label] = failed
    return {label: reason for label, reason in lacks.items() if reason}


def summarize(answers, backbone):
    """{label: figures} from `take_turns`'s answers; ratios are formed within a round."""
    seconds = {
        label: [median(turn["seconds"]) for turn in turns] for label, turns in answers.items()
    }
    return {
        label: {
            "network": COMPETITORS[label].network.format(backbone),
            "seconds": median(own),
            "ours_over_it": median_of(_ratio, seconds[OURS], own),
            "peak_mib": max((turn["peak_mib"] or 0) for turn in answers[label]) or None,
        }
        for label, own in seconds.items()
    }


def _ratio(ours, own):
    """How many times a competitor's seconds the GloRe network takes."""
    return ours / own


def run(args, backbone, folder):
    """Let all that can run with a backbone take turns; returns the result.

    Raises RuntimeError where a worker dies, or the GloRe network can't run.
    """
    wanted = [
        row
        for row in ROWS
        if row.forward.label in args.only
        and (row.backward or not args.backward)
        and (args.deployed or not row.forward.exported)
    ]
    reasons = prepare(folder, wanted, backbone)
    fields = {
        "backbone": backbone,
        "folder": str(folder),
        "batch": args.batch,
        "threads": args.threads,
        "backward": args.backward,
    }
    labels = [row.forward.label for row in wanted if row.forward.label not in reasons]
    load = os.getloadavg()[0]
    answers, left_out = take_turns(
        MODULE,
        {label: {"label": label, **fields} for label in labels},
        args.rounds,
        args.threads,
        warmup=2,
    )
    if OURS not in answers:
        reason = {**reasons, **left_out}.get(OURS, "not among those to run")
        raise RuntimeError(f"{OURS}: {reason}")
    rows = summarize(answers, backbone)
    for label, row in rows.items():
        limit = f", limit {LIMIT}" if label == THEIRS and not args.backward else ""
        print(
            f"  {label:30} {row['seconds']:7.3f} s {row['peak_mib'] or 0:6.0f} MiB  "
            f"GloRe takes {row['ours_over_it']:.3f} of it{limit}"
        )
    for label, reason in {**reasons, **left_out}.items():
        print(f"  {label:30} not run: {reason}")
    options = "".join(f" --{name}" for name in ("backward", "deployed") if getattr(args, name))
    if args.only != list(COMPETITORS):
        options += " --only " + " ".join(f'"{label}"' for label in args.only)
    return {
        "command": f"python -m {MODULE} --network {backbone} --batch {args.batch}{options}",
        "network": GLORE.format(backbone),
        "batch": args.batch,
        "rounds": args.rounds,
        "machine": machine(args.threads, PACKAGES),
        "load_before": load,
        "competitors": rows,
        "not_run": {**reasons, **left_out},
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", nargs="+", choices=BACKBONES, default=BACKBONES[:1])
    parser.add_argument("--backward", action="store_true", help="a training step, no update")
    parser.add_argument("--deployed", action="store_true", help="the export too, in each runtime")
    labels = list(COMPETITORS)
    parser.add_argument("--only", nargs="+", metavar="LABEL", choices=labels, default=labels)
    parser.add_argument("--out", help="folder for the result (benchmarks/results)")
    add_options(parser, batch=1)
    args = parser.parse_args(argv)
    if args.worker:
        return work(**json.loads(args.worker))

    prepare_cpu()
    kind = "backward" if args.backward else "forward"
    for backbone in args.network:
        print(f"{backbone}, {kind}", flush=True)
        with tempfile.TemporaryDirectory() as temporary:
            result = run(args, backbone, Path(temporary))
        name = f"video_{kind}_{GLORE.format(backbone)}_batch{args.batch}"
        print(write_result(name, result, args.out))


if __name__ == "__main__":
    main()
