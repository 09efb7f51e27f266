"""Time and memory of forward and backward of a segmentation network, with and without its unit.

    python -m benchmarks.segmentation_step [--size 768] [--batch 1] [--rounds 5]

Both take turns on random crops and labels that are there already, with the loss and the graph of
`train.cityscapes`; nothing is updated. `peak_mib` is the most that a process held over all its
turns, `one_step_mib` that of another that builds the network and takes one step; both with the
libraries. Table 3's other networks are counted beside.
"""

import argparse
import dataclasses
import json
import os
from statistics import median

from gluon_glore.utils.cpu import prepare_cpu

from .paired import add_options, machine, median_of, serve_passes_of, take_turns, write_result

MODULE = "benchmarks.segmentation_step"
WITHOUT, WITH = TIMED = (
    "fcn_resnet50_multigrid_cityscapes",
    "fcn_resnet50_glore_1_cityscapes",
)
COUNTED = ("fcn_resnet50_cityscapes", *TIMED, "fcn_resnet50_glore_2_cityscapes")
LIMIT = 1.1  # the claim: time and memory with the unit / without, at most
IGNORED = 0.1  # share of the pixels, about that of Cityscapes


def make_network(name, size):
    """A registered network for crops of `size` x `size` pixels. Raises InputError."""
    from gluon_glore import Network, get_spec

    spec = get_spec(name)
    spec.check_input((size, size))
    return Network(dataclasses.replace(spec, input_size=(size, size)))


def make_step(name, size, batch):
    """Forward and backward as a function without arguments. Raises InputError."""
    import mxnet as mx
    import numpy as np
    from mxnet import autograd

    from gluon_glore.data.cityscapes import IGNORE
    from train.engine.pixel_loss import PixelLoss

    from .networks import pixels

    mx.random.seed(0)
    net = make_network(name, size)
    net.initialize()
    for key, parameter in net.collect_params().items():
        if key.endswith("gamma"):  # zero behind the unit: nothing but zeros would go back into it
            parameter.set_data(mx.nd.ones(parameter.shape))
    net.hybridize(static_alloc=True, static_shape=True)
    loss = PixelLoss(ignore=IGNORE)
    rng = np.random.RandomState(0)
    labels = rng.randint(net.classes, size=(batch, size, size))
    labels[rng.uniform(size=labels.shape) < IGNORED] = IGNORE
    x, y = mx.nd.array(pixels(net.spec, batch)), mx.nd.array(labels)

    def step():
        with autograd.record():
            losses = loss(net(x), y)
        losses.backward()
        mx.nd.waitall()

    return step


def work(name, size, batch):
    """Serve steps of a network."""
    serve_passes_of(lambda: make_step(name, size, batch))


def counts(size):
    """{name: its parameters and multiply-adds at batch 1} of Table 3's rows. Raises InputError."""
    from gluon_glore.networks.complexity import count_network
    from gluon_glore.plan.complexity import totals

    rows = {}
    for name in COUNTED:
        parameters, macs = totals(count_network(make_network(name, size)))
        rows[name] = {"parameters": parameters, "macs": macs}
    return rows


def summarize(answers, first):
    """{name: figures} of the two that took turns; ratios of time are formed within a round.

    `answers` and `first` are `take_turns`'s: of all turns, and of processes that took one step.
    """
    seconds = {name: [median(turn["seconds"]) for turn in answers[name]] for name in TIMED}
    memory = {
        key: {name: _peak(turns[name]) for name in TIMED}
        for key, turns in (("peak", answers), ("one_step", first))
    }
    rows = {}
    for name in TIMED:
        row = rows[name] = {
            "seconds": median(seconds[name]),
            "seconds_ratio": median_of(_ratio, seconds[name], seconds[WITHOUT]),
        }
        for key, mib in memory.items():
            row[f"{key}_mib"] = mib[name]
            row[f"{key}_ratio"] = mib[name] and mib[name] / mib[WITHOUT]
    return rows


def _peak(turns):
    """The most memory of all turns in MiB, None where Linux does not tell."""
    return max((turn["peak_mib"] or 0) for turn in turns) or None


def _ratio(own, without):
    """How many times the seconds without the unit a step takes."""
    return own / without


def run(size, batch, rounds, threads):
    """Measure; returns the result.

    Raises InputError on a size too small, RuntimeError where a network can't be run.
    """
    rows = counts(size)
    options = {name: {"name": name, "size": size, "batch": batch} for name in TIMED}
    load = os.getloadavg()[0]
    # Only the pass that goes before those that count: the memory of the network and one step.
    first, _ = take_turns(MODULE, options, 1, threads, warmup=0, passes=0)
    answers, left_out = take_turns(MODULE, options, rounds, threads, warmup=1)
    if left_out:
        raise RuntimeError("; ".join(f"{name}: {why}" for name, why in left_out.items()))
    for name, row in summarize(answers, first).items():
        rows[name].update(row)
        print(
            f"  {name:34} {row['seconds']:6.2f} s ({row['seconds_ratio']:.2f} of that without)"
            f"  {row['peak_mib'] or 0:6.0f} MiB ({row['peak_ratio'] or 0:.2f})"
            f"  one step {row['one_step_mib'] or 0:6.0f} MiB ({row['one_step_ratio'] or 0:.2f})"
            f"  limit {LIMIT}"
        )
    return {
        "command": f"python -m {MODULE} --size {size} --batch {batch}",
        "network": WITH,
        "size": size,
        "batch": batch,
        "rounds": rounds,
        "machine": machine(threads, ("mxnet", "numpy")),
        "load_before": load,
        "competitors": rows,
        "not_run": {},
    }


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=768, help="height and width of crops (768)")
    parser.add_argument("--out", help="folder for the result (benchmarks/results)")
    add_options(parser, batch=1, rounds=5, least=5)  # a round takes over a minute
    args = parser.parse_args(argv)
    if args.worker:
        return work(**json.loads(args.worker))

    prepare_cpu()
    result = run(args.size, args.batch, args.rounds, args.threads)
    print(write_result("segmentation_step", result, args.out))


if __name__ == "__main__":
    main()
