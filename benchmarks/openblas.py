"""The matrix kernels OpenBLAS picks by itself beside those that `prepare_cpu` sets.

    python -m benchmarks.openblas [--batch 8]

A unit's batch_dot, states (256 x 784) with the mask (128 x 784) of every picture. Where the
OpenBLAS in MXNet's wheel knows the processor the two are alike. It may lack the kernels that it is
told: of 0.3.13 in MXNet 1.9.1 those for AVX-512 are Haswell's. So what it took is told, too.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

from gluon_glore.utils.cpu import openblas_kernels, processor_flags

from .paired import add_options, machine, measure, median_of, serve, write_result

NAME = """
import ctypes, sys
name = ctypes.CDLL(sys.argv[1]).openblas_get_corename
name.restype = ctypes.c_char_p
print(name().decode())
"""


def taken(kernels):
    """The kernels that the OpenBLAS in MXNet's wheel takes where it is told `kernels`, or none."""
    (folder,) = importlib.util.find_spec("mxnet").submodule_search_locations
    (library,) = Path(folder).glob("libopenblas*")
    told = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
    if kernels:
        told["OPENBLAS_CORETYPE"] = kernels
    command = [sys.executable, "-c", NAME, str(library)]
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def work(kernels, batch):
    """Serve ten products with the named kernels, or OpenBLAS's own choice for None."""
    os.environ.pop("OPENBLAS_CORETYPE", None)
    if kernels:
        os.environ["OPENBLAS_CORETYPE"] = kernels
    import mxnet as mx  # reads it

    states = mx.nd.random.normal(shape=(batch, 256, 784))
    mask = mx.nd.random.normal(shape=(batch, 128, 784))

    def step():
        for _ in range(10):
            mx.nd.batch_dot(states, mask, transpose_b=True).wait_to_read()

    serve(step)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, batch=8)
    args = parser.parse_args()
    if args.worker:
        return work(**json.loads(args.worker))

    kernels = openblas_kernels(processor_flags())
    seconds = measure(
        "benchmarks.openblas",
        {
            "its own": {"kernels": None, "batch": args.batch},
            "set": {"kernels": kernels, "batch": args.batch},
        },
        args.rounds,
        args.threads,
    )
    faster = median_of(lambda own, given: own / given, seconds["its own"], seconds["set"])
    names = {"its own": taken(None), "set": taken(kernels)}
    print(
        f"{kernels}, which runs {names['set']}'s: {faster:.2f} times as fast as OpenBLAS's own "
        f"choice, {names['its own']}'s"
    )
    result = {"kernels": kernels, "taken": names, "batch": args.batch, "rounds": args.rounds}
    result["faster"] = faster
    print(write_result("openblas", {**result, "machine": machine(args.threads)}))


if __name__ == "__main__":
    main()
