"""Time and memory as the input grows: GloRe units, non-local blocks, convolutions, whole networks.

    python -m benchmarks.scaling [--only SERIES ...] [--most-gib 6]

The paper's point: a unit's cost grows as the locations, a non-local block's as their square. Each
figure is of a process of its own, one after the other. It runs the block once on a small input,
then passes over its own input: `seconds` is the median of at least 7 (3 where one takes over a
second), a first one left out; `mib` is the most memory that the process held in all of them, less
what it held before: weights, input and libraries. A block whose attention would not fit into
`--most-gib` is left out, and the result says what it would need.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from gluon_glore.utils.cpu import prepare_cpu

from .paired import RESULTS, machine, peak_memory, run_pass, write_result

CHANNELS, NODES, INNER = 512, 128, 256  # of units and blocks in Res3 of a ResNet-50
BASE = (14, 14)  # here the convolution has a unit's multiply-adds
UNIT, NON_LOCAL, SUBSAMPLED, CONV = BLOCKS = (
    "GloRe unit",
    "non-local block",
    "non-local block, subsampled",
    "3x3 convolution",
)
PLAIN, WITH_UNIT, WITH_NON_LOCAL = NETWORKS = (
    "FCN",
    "FCN with a GloRe unit",
    "FCN with a non-local block",
)
SUBSAMPLE = {NON_LOCAL: 1, SUBSAMPLED: 2, WITH_NON_LOCAL: 1}  # pixels a dimension, by attention
FCN_STRIDE = 8  # pixels between the locations of an FCN's head and of its Res3
ARRAYS = {False: 1, True: 3}  # of attention's size at once: weights; scores and gradients too
WARM = {False: (1, 7, 7), True: (64, 64)}  # the input before, of a block and of a network
SLOW = 1.0  # seconds of a pass of which 3 are enough


@dataclass(frozen=True)
class Series:
    """Competitors at inputs that grow: {label: space}. Exponents are fitted from `fit` on."""

    competitors: tuple
    places: dict
    fit: str
    backward: bool = False

    def locations(self, label):
        """How many locations a block sees there, or the pixels of a network's input."""
        return math.prod(self.places[label])


SQUARES = {f"{side}x{side}": (side, side) for side in (14, 28, 56, 112, 160, 224)}
FRAMES = {f"{frames}x28x28": (frames, 28, 28) for frames in (1, 2, 4, 8, 16, 32)}
PICTURES = {
    f"{width}x{height}": (height, width)
    for width, height in ((512, 512), (1024, 512), (1024, 1024), (2048, 1024))
}
SERIES = {
    "pictures, forward": Series(BLOCKS, SQUARES, "56x56"),
    "pictures, forward and backward": Series(BLOCKS, SQUARES, "56x56", backward=True),
    "videos, forward": Series(BLOCKS, FRAMES, "4x28x28"),
    "networks, forward": Series(NETWORKS, PICTURES, "512x512"),
}


def make(name, ndim):
    """A competitor as a Gluon block, and the channels of its input."""
    import mxnet as mx

    from gluon_glore import GloRe, Network, NonLocal, get_spec

    if name in NETWORKS:
        spec = get_spec(
            f"fcn_resnet50_{'glore_1' if name == WITH_UNIT else 'multigrid'}_cityscapes"
        )
        if name == WITH_NON_LOCAL:  # of the head's width and locations
            spec = spec.with_units("nonlocal", res3=(4,))
        return Network(spec), spec.in_channels
    if name == CONV:
        conv = mx.gluon.nn.Conv2D if ndim == 2 else mx.gluon.nn.Conv3D
        filters = round(_unit_macs(ndim) / (CHANNELS * 3**ndim * math.prod(BASE)))
        return conv(filters, 3, padding=1, in_channels=CHANNELS, prefix="conv_"), CHANNELS
    if name == UNIT:
        return GloRe(CHANNELS, NODES, ndim, extend_first=ndim == 3, prefix="unit_"), CHANNELS
    return NonLocal(CHANNELS, INNER, ndim, SUBSAMPLE[name], prefix="block_"), CHANNELS


def _unit_macs(ndim):
    """Multiply-adds of a unit on one picture, or frame, of BASE."""
    return macs_of(make(UNIT, ndim)[0], CHANNELS, (1,) * (ndim - 2) + BASE)


def macs_of(block, channels, space):
    """Multiply-adds of a block for one input."""
    import mxnet as mx

    from gluon_glore.networks.complexity import count
    from gluon_glore.plan.complexity import totals

    return totals(count(block(mx.sym.var("data")), (channels, *space)))[1]


def attention_bytes(name, space, backward):
    """What the attention of a competitor takes at once; 0 of one that has none."""
    if name not in SUBSAMPLE:
        return 0
    if name in NETWORKS:
        space = [math.ceil(side / FCN_STRIDE) for side in space]
    pool = (1,) * (len(space) - 2) + (SUBSAMPLE[name],) * 2
    keys = math.prod(math.ceil(side / step) for side, step in zip(space, pool))
    return ARRAYS[backward] * 4 * math.prod(space) * keys


def work(name, space, backward):
    """Print the figures of a competitor at an input: JSON, in a process that ends then."""
    import mxnet as mx

    block, channels = make(name, 2 if name in NETWORKS else len(space))
    macs = macs_of(block, channels, space)
    block.initialize()
    for key, parameter in block.collect_params().items():
        if key.endswith("gamma"):  # zero behind a unit: as if it were trained
            parameter.set_data(mx.nd.ones(parameter.shape))
    block.hybridize(static_alloc=True, static_shape=True)

    sizes = (WARM[name in NETWORKS][-len(space) :], space)
    inputs = [mx.nd.random.normal(shape=(1, channels, *size)) for size in sizes]
    for x in inputs:
        x.attach_grad()
    run_pass(block, inputs[0], backward)
    held = forget_peak()
    start = time.perf_counter()
    run_pass(block, inputs[1], backward)
    first = time.perf_counter() - start
    passes = 3 if first > SLOW else min(100, max(7, round(0.5 / first)))
    seconds = []
    for _ in range(passes):
        start = time.perf_counter()
        run_pass(block, inputs[1], backward)
        seconds.append(time.perf_counter() - start)
    figures = {"macs": macs, "passes": passes, "seconds": statistics.median(seconds)}
    print(json.dumps({**figures, "mib": None if held is None else peak_memory() - held}))


def forget_peak():
    """Let Linux count this process's peak of memory anew; the MiB it holds, None if it can't."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return peak_memory()


def available():
    """The memory that this machine could give now, in bytes; infinite where Linux does not tell."""
    info = Path("/proc/meminfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    found = (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return next(found, math.inf)


def measure(series, most, threads):
    """The points of a series, a dict each, those left out too. `most`: bytes for attention.

    Raises RuntimeError where a process dies.
    """
    count = str(threads)
    environment = dict(os.environ, OMP_NUM_THREADS=count, OPENBLAS_NUM_THREADS=count)
    points = []
    for name in series.competitors:
        for label, space in series.places.items():
            point = {"name": name, "place": label, "locations": series.locations(label)}
            points.append(point)
            needed = attention_bytes(name, space, series.backward)
            if needed > min(most, available()):
                point["needed"] = needed
                continue
            options = {"name": name, "space": space, "backward": series.backward}
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.scaling", "--worker", json.dumps(options)],
                env=environment,
                stdout=subprocess.PIPE,
                text=True,
            )
            if done.returncode:
                raise RuntimeError(f"{name} at {label} died, see its message above")
            point.update(json.loads(done.stdout.splitlines()[-1]))
            print(
                f"  {name:28} {label:10} {1000 * point['seconds']:9.1f} ms"
                f" {point['mib'] or 0:7.0f} MiB",
                flush=True,
            )
    return points


def exponents(series, points, key):
    """{competitor: the power of the locations with which a figure grows}, by least squares.

    On logarithms, over the points from `series.fit` on; None where fewer than two were measured.
    """
    import numpy as np

    least, powers = series.locations(series.fit), {}
    for name in series.competitors:
        rows = [p for p in points if p["name"] == name and p["locations"] >= least and p.get(key)]
        powers[name] = None
        if len(rows) > 1:
            x, y = (np.log([row[column] for row in rows]) for column in ("locations", key))
            powers[name] = float(np.polyfit(x, y, 1)[0])
    return powers


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SERIES,
        default=list(SERIES),
        help="series (all); others of the same machine stay in the result",
    )
    parser.add_argument("--most-gib", type=float, default=6.0, help="memory for attention, GiB (6)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(all cores)")
    parser.add_argument("--out", help="folder for the result (benchmarks/results)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # the options of a worker's process
    args = parser.parse_args(argv)
    if args.worker:
        return work(**json.loads(args.worker))

    prepare_cpu()  # the processor's kernels, which workers inherit
    rows = {}
    for title in args.only:
        print(title)
        points = measure(SERIES[title], args.most_gib * 2**30, args.threads)
        keys = ("seconds", "mib")
        powers = {key: exponents(SERIES[title], points, key) for key in keys}
        rows[title] = {"fit": SERIES[title].fit, "points": points, "exponents": powers}
        for name in SERIES[title].competitors:
            each = (f"{key} {powers[key][name] or math.nan:.2f}" for key in keys)
            print(f"  {name:28} grows as locations to the power: {', '.join(each)}")
    result = {
        "command": "python -m benchmarks.scaling",
        "machine": machine(args.threads, ("mxnet", "numpy")),
        "most_gib": args.most_gib,
    }
    rows = {**kept(result, args.out), **rows}
    result["series"] = {title: rows[title] for title in SERIES if title in rows}
    print(write_result("scaling", result, args.out))


def kept(result, folder):
    """The series of an older result of the same machine and options: `--only` measures others."""
    path = Path(folder or RESULTS) / "scaling.json"
    before = json.loads(path.read_text()) if path.is_file() else {}
    return before["series"] if all(before.get(key) == result[key] for key in result) else {}


if __name__ == "__main__":
    main()
