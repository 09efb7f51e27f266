"""Paired timing: every competitor lives in a process of its own, and they take turns.

Machines are noisy and drift: in one round each competitor runs once, figures are medians over
rounds, and ratios are formed within a round first. A benchmark's worker process calls `serve`, its
parent `measure`; or `serve_passes_of` and `take_turns`, where a competitor may be unable to run and
latencies and memory count.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gluon_glore.utils.cpu import prepare_cpu, processor_flags
from gluon_glore.utils.errors import InputError

RESULTS = Path(__file__).parent / "results"
MIN_ROUNDS = 7
# Linux's names of the instructions that multiply matrices of lower precision, the fastest first.
MATRIX_FLAGS = ("amx_bf16", "amx_int8", "avx512_bf16", "avx512_vnni", "avx512f", "avx2")
NOT_RUN = "not run"  # key of the answer of a worker that can't


def serve(step):
    """Run and time `step()` once for every line on stdin; print seconds. `step` waits for MXNet."""
    for _ in sys.stdin:
        start = time.perf_counter()
        step()
        print(time.perf_counter() - start, flush=True)


def serve_passes(block, x, backward):
    """Serve passes of a Gluon block over x: forward, and with `backward` also backward."""
    block.initialize()
    block.hybridize(static_alloc=True, static_shape=True)
    serve(lambda: run_pass(block, x, backward))


def run_pass(block, x, backward):
    """Pass over x, forward, and with `backward` also backward, and wait for its end."""
    import mxnet as mx
    from mxnet import autograd

    if backward:
        with autograd.record():
            y = block(x)
        y.backward()
    else:
        block(x)
    mx.nd.waitall()


class NotRun(Exception):
    """A competitor can't run here; the message says why."""


def serve_passes_of(make):
    """Serve turns of several passes; answer with the seconds of each and the peak of memory.

    A line on stdin gives the number of passes; one more goes before them and is not timed. `make()`
    returns the step, or raises NotRun, ImportError or InputError: then that reason is the answer.
    """
    try:
        step = make()
    except (NotRun, ImportError, InputError) as error:
        step, reason = None, str(error)
    for line in sys.stdin:
        if step is None:
            print(json.dumps({NOT_RUN: reason}), flush=True)
            continue
        step()
        seconds = []
        for _ in range(int(line)):
            start = time.perf_counter()
            step()
            seconds.append(time.perf_counter() - start)
        print(json.dumps({"seconds": seconds, "peak_mib": peak_memory()}), flush=True)


def peak_memory():
    """The most memory that this process has held, in MiB; None where Linux does not tell.

    VmHWM counts from the start of this program, getrusage's figure from that of its parent.
    """
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def measure(module, competitors, rounds, threads, warmup=3):
    """Seconds by competitor and round: `{name: [seconds, ...]}`.

    `competitors` maps names to the options of `python -m module --worker JSON`. Raises
    RuntimeError where a worker dies.
    """
    return take_turns(module, competitors, rounds, threads, warmup)[0]


def take_turns(module, competitors, rounds, threads, warmup=3, passes=1):
    """Let workers take turns: their answers by competitor and round, and why others did not run.

    Returns `({name: [answer, ...]}, {name: reason})`. A turn has `passes` passes, in a warm-up
    round one. `competitors` are those of `measure`. Raises RuntimeError where a worker dies.
    """
    prepare_cpu()  # the processor's kernels, which workers inherit
    count = str(threads)
    environment = dict(os.environ, OMP_NUM_THREADS=count, OPENBLAS_NUM_THREADS=count)
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
    answers, left_out = {name: [] for name in workers}, {}
    try:
        for turn in range(warmup + rounds):
            for name in list(answers):
                answer = _turn(name, workers[name], passes if turn >= warmup else 1)
                if isinstance(answer, dict) and NOT_RUN in answer:
                    left_out[name] = answer[NOT_RUN]
                    del answers[name]
                elif turn >= warmup:
                    answers[name].append(answer)
        return answers, left_out
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()


def _turn(name, worker, passes):
    """The answer of a worker to one turn. Raises RuntimeError where it dies."""
    try:
        worker.stdin.write(f"{passes}\n")
        worker.stdin.flush()
        return json.loads(worker.stdout.readline())
    except (BrokenPipeError, ValueError):
        raise RuntimeError(f"the worker {name!r} died, see its message above") from None


def median_of(function, *series):
    """Median over rounds of a function of the competitors' seconds in one round."""
    return statistics.median(map(function, *series))


def machine(threads, packages=("mxnet",)):
    """The machine of a figure: processor, its instructions for matrices, cores, threads, the day.

    And the versions of those of the `packages` that are installed.
    """
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return {
        "processor": next(names, platform.machine()),
        "cores": os.cpu_count(),
        "threads": threads,
        "instructions": next((f for f in MATRIX_FLAGS if f in processor_flags()), ""),
        "day": time.strftime("%Y-%m-%d"),
        **_versions(packages),
    }


def _versions(packages):
    """{package: its version}, of those that are installed."""
    found = {}
    for package in packages:
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def write_result(name, result, folder=None):
    """Write `benchmarks/results/<name>.json`, or to another folder; returns the path."""
    folder = Path(folder or RESULTS)
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    return path


def _at_least(least):
    """The argparse type of a number of rounds that is `least` or more."""

    def rounds(text):
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"at least {least} rounds, given {text}")
        return int(text)

    return rounds


def add_options(parser, batch, rounds=15, least=MIN_ROUNDS):
    """Add the options that every benchmark has; `batch` is a list where it may have several.

    Fewer rounds than `least` are refused.
    """
    several = {"nargs": "+"} if isinstance(batch, list) else {}
    parser.add_argument(
        "--batch", type=int, default=batch, help=f"images at once ({batch})", **several
    )
    parser.add_argument(
        "--rounds", type=_at_least(least), default=rounds, help=f"at least {least} ({rounds})"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(all cores)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)  # the options of a worker's process
