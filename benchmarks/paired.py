"""Paired timing: every competitor lives in a process of its own, and they take turns.

Machines are noisy and drift: in one round each competitor runs once, figures are medians over
rounds, and ratios are formed within a round first. A benchmark's worker process calls `serve`, its
parent `measure`.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from gluon_glore.cpu import prepare_cpu

RESULTS = Path(__file__).parent / "results"
MIN_ROUNDS = 7


def serve(step):
    """Run and time `step()` once for every line on stdin; print seconds. `step` waits for MXNet."""
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def serve_passes(block, x, backward):
    """Serve passes of a Gluon block over x: forward, and `backward` too where asked for."""
    import mxnet as mx
    from mxnet import autograd

    block.initialize()
    block.hybridize(static_alloc=True, static_shape=True)

    def step():
        if backward:
            with autograd.record():
                y = block(x)
            y.backward()
        else:
            block(x)
        mx.nd.waitall()

    serve(step)


def measure(module, competitors, rounds, threads, warmup=3):
    """Seconds by competitor and round: `{name: [seconds, ...]}`.

    `competitors` maps names to the options of `python -m module --worker JSON`. Raises
    RuntimeError where a worker dies.
    """
    prepare_cpu()  # the processor's kernels, which workers inherit
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads))
    workers = {
        name: subprocess.Popen(
            [sys.executable, "-m", module, "--worker", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for name, options in competitors.items()
    }
    try:
        seconds = {name: [] for name in workers}
        for turn in range(warmup + rounds):
            for name, worker in workers.items():
                value = _turn(name, worker)
                if turn >= warmup:
                    seconds[name].append(value)
        return seconds
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()


def _turn(name, worker):
    try:
        worker.stdin.write("go\n")
        worker.stdin.flush()
        return float(worker.stdout.readline())
    except (BrokenPipeError, ValueError):
        raise RuntimeError(f"the worker {name!r} died, see its message above") from None


def median_of(function, *series):
    """Median over rounds of a function of the competitors' seconds in one round."""
    return statistics.median(map(function, *series))


def machine(threads):
    """What a figure depends on: processor, cores, threads, versions."""
    import mxnet

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return {
        "processor": next(names, platform.machine()),
        "cores": os.cpu_count(),
        "threads": threads,
        "mxnet": mxnet.__version__,
    }


def write_result(name, result):
    """Write `benchmarks/results/<name>.json`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def _rounds(text):
    if int(text) < MIN_ROUNDS:
        raise argparse.ArgumentTypeError(f"at least {MIN_ROUNDS} rounds, given {text}")
    return int(text)


def add_options(parser, batch):
    """The options every benchmark has."""
    parser.add_argument("--batch", type=int, default=batch, help=f"images at once ({batch})")
    parser.add_argument("--rounds", type=_rounds, default=15, help=f"at least {MIN_ROUNDS} (15)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(all cores)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # how `measure` starts one
