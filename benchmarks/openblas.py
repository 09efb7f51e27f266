"""The matrix kernels OpenBLAS picks by itself beside those that `prepare_cpu` sets.

    python -m benchmarks.openblas [--batch 8]

A unit's batch_dot, states (256 x 784) with the mask (128 x 784) of every picture. Where the
OpenBLAS in MXNet's wheel knows the processor the two are alike.
"""

import argparse
import json
import os

from gluon_glore.utils.cpu import openblas_kernels, processor_flags

from .paired import add_options, machine, measure, median_of, serve, write_result


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
    print(f"{kernels}: {faster:.2f} times as fast as OpenBLAS's own choice")
    result = {"kernels": kernels, "batch": args.batch, "rounds": args.rounds, "faster": faster}
    print(write_result("openblas", {**result, "machine": machine(args.threads)}))


if __name__ == "__main__":
    main()
