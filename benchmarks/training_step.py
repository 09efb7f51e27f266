"""Seconds of a training step: forward, backward and SGD update, beside PyTorch.

    python -m benchmarks.training_step [--network resnet50 resnet50_glore_2_3] [--batch 8 16]

The same network, weights, loss and optimizer (momentum 0.9, weight decay) on pixels that are there
already, in turns. `NAME_post` is the network with its units in the other arrangement.
"""

import argparse
import json
import os
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from gluon_glore.utils.cpu import prepare_cpu

from .competitors import Competitor, Job, make_torch_network
from .deploy import NETWORKS, PACKAGES, fastest_baselines
from .networks import network, write_entry
from .paired import add_options, machine, median_of, serve_passes_of, take_turns, write_result

RATE, MOMENTUM, DECAY = 1e-4, 0.9, 2e-4


def gluon(job, precision="float32"):
    """A step as the trainers take it, with their SGD, network and loss hybridised."""
    import mxnet as mx
    from mxnet import autograd, gluon

    from gluon_glore.model_zoo.load import load_network
    from train.config.optim import Optim
    from train.engine.bfloat16 import Bfloat16
    from train.engine.optimizer import make_optimizer
    from train.engine.precision import check_precision

    check_precision(precision)
    net, _ = load_network(job.entry)
    graph = Bfloat16(net) if precision == "bfloat16" else net
    loss = gluon.loss.SoftmaxCrossEntropyLoss()
    for block in (graph, loss):
        block.hybridize(static_alloc=True, static_shape=True)
    optim = Optim(lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
    trainer = gluon.Trainer(net.collect_params(), make_optimizer(optim), kvstore=None)
    x, y = mx.nd.array(job.pixels), mx.nd.arange(job.batch) % net.classes

    def step():
        with autograd.record():
            losses = loss(graph(x), y)
        losses.backward()
        trainer.step(job.batch)
        mx.nd.waitall()

    return step


def pytorch(job, layout="contiguous_format", compiled=False, autocast=False):
    """A step with torch.optim's SGD."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(job.threads)
    layout = getattr(torch, layout)
    net = make_torch_network(job).train().to(memory_format=layout)
    optimizer = torch.optim.SGD(net.parameters(), RATE, MOMENTUM, weight_decay=DECAY)
    forward = torch.compile(net) if compiled else net
    x = torch.from_numpy(job.pixels).to(memory_format=layout)
    y = torch.arange(job.batch) % net.classes

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = functional.cross_entropy(forward(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


_LAST = {"layout": "channels_last"}
BASELINE = "pytorch_fp32"
ROWS = (
    Competitor("MXNet Gluon fp32", gluon, "mxnet"),
    Competitor("MXNet Gluon bf16", partial(gluon, precision="bfloat16"), "mxnet", "bf16"),
    Competitor("PyTorch NCHW fp32", pytorch, "torch", baseline=BASELINE),
    Competitor("PyTorch channels-last fp32", partial(pytorch, **_LAST), "torch", baseline=BASELINE),
    Competitor("PyTorch compiled fp32", partial(pytorch, compiled=True, **_LAST), "torch"),
    Competitor(
        "PyTorch autocast bf16",
        partial(pytorch, autocast=True, **_LAST),
        "torch",
        "bf16",
        baseline="pytorch_bf16",
    ),
)
COMPETITORS = {row.label: row for row in ROWS}
OURS = ROWS[0].label
# A row in bfloat16, and the same library's row in float32.
IN_FP32 = {
    "MXNet Gluon bf16": "MXNet Gluon fp32",
    "PyTorch autocast bf16": "PyTorch channels-last fp32",
}


def work(label, name, folder, batch, threads):
    """Serve steps of a competitor."""
    serve_passes_of(lambda: COMPETITORS[label].make(Job(name, Path(folder), batch, threads)))


def summarize(answers, batch):
    """Figures of each competitor from `take_turns`'s answers; ratios are formed within a round."""
    seconds = {
        label: [median(turn["seconds"]) for turn in turns] for label, turns in answers.items()
    }
    baselines = fastest_baselines(seconds, COMPETITORS)
    return {
        label: {
            "precision": COMPETITORS[label].precision,
            "seconds": median(own),
            "images_per_second": batch / median(own),
            "peak_mib": max((turn["peak_mib"] or 0) for turn in answers[label]) or None,
            **{
                f"over_{key}": median_of(_ratio, seconds[best], own)
                for key, best in baselines.items()
            },
            **_over_own_fp32(seconds, label),
        }
        for label, own in seconds.items()
    }


def _over_own_fp32(seconds, label):
    """How many times as fast a competitor in bfloat16 is as its own library's in float32."""
    other = seconds.get(IN_FP32.get(label))
    return {"over_own_fp32": median_of(_ratio, other, seconds[label])} if other else {}


def _ratio(theirs, own):
    """How many times as fast as the baseline a competitor is."""
    return theirs / own


def run(name, batch, args, folder):
    """Let all that can run take turns; returns the result."""
    reasons = {label: COMPETITORS[label].lack for label in args.only}
    fields = {"name": name, "folder": str(folder), "batch": batch, "threads": args.threads}
    load = os.getloadavg()[0]
    answers, left_out = take_turns(
        "benchmarks.training_step",
        {label: {"label": label, **fields} for label, reason in reasons.items() if not reason},
        args.rounds,
        args.threads,
        warmup=2,
    )
    rows = summarize(answers, batch)
    for label, row in rows.items():
        print(
            f"  {label:28} {row['seconds']:6.2f} s {row['images_per_second']:6.2f} images/s "
            f"{row['peak_mib'] or 0:6.0f} MiB"
            + (f"  {row['over_pytorch_fp32']:.2f} of PyTorch" if "over_pytorch_fp32" in row else "")
        )
    return {
        "command": f"python -m benchmarks.training_step --network {name} --batch {batch}",
        "network": name,
        "batch": batch,
        "rounds": args.rounds,
        "machine": machine(args.threads, PACKAGES),
        "load_before": load,
        "competitors": rows,
        "not_run": {**{key: why for key, why in reasons.items() if why}, **left_out},
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", nargs="+", default=NETWORKS, help="names, or NAME_post")
    parser.add_argument("--only", nargs="+", metavar="LABEL", default=list(COMPETITORS))
    parser.add_argument("--out", help="folder for the results (benchmarks/results)")
    add_options(parser, batch=[8, 16])
    args = parser.parse_args(argv)
    if args.worker:
        return work(**json.loads(args.worker))

    prepare_cpu()
    for name in args.network:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_entry(network(name), folder / "entry")
            for batch in args.batch:
                print(f"{name}, batch {batch}", flush=True)
                result = run(name, batch, args, folder)
                print(write_result(f"training_step_{name}_batch{batch}", result, args.out))


if __name__ == "__main__":
    main()
