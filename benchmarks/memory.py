"""Memory and time of training steps with all activations kept, and with recomputation.

    python -m benchmarks.memory [--model dpn131_glore_2_3] [--batch 4] [--units 1 4]

Every variant takes two steps in a process of its own. `peak` is the largest resident memory of the
process less what it had before the first step (network, weights, pixels), in MiB; `seconds` is the
second step, once: not a paired timing.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

from gluon_glore.utils.cpu import prepare_cpu

from .paired import machine, write_result


def work(model, batch, units):
    """Take two steps and print the figures."""
    import mxnet as mx

    from gluon_glore import get_model
    from train.engine.comm import LocalComm
    from train.engine.recompute import Segments
    from train.engine.step import Step

    mx.random.seed(0)
    net = get_model(model)
    net.initialize()
    net.hybridize(static_alloc=True, static_shape=True)
    trainer = LocalComm().trainer(net.collect_params(), mx.optimizer.SGD(learning_rate=1e-3))
    step = Step(segments=Segments(net, units) if units else None)
    x = mx.nd.random.normal(shape=(batch, net.spec.in_channels, *net.spec.input_size))
    y = mx.nd.zeros(batch)
    mx.nd.waitall()
    before = _peak()
    for number in range(2):
        started = time.perf_counter()
        _, losses = step(net, trainer, x, y, number)
        mx.nd.waitall()
        seconds = time.perf_counter() - started
    loss = float(losses.mean().asscalar())
    print(json.dumps({"peak": _peak() - before, "seconds": seconds, "loss": loss}))


def _peak():
    """The largest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="dpn131_glore_2_3")
    parser.add_argument("--batch", type=int, default=4, help="images at once (4)")
    parser.add_argument("--units", type=int, nargs="+", default=[1, 4], help="per segment (1 4)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(all cores)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        return work(**json.loads(args.worker))

    prepare_cpu()
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    result = {"model": args.model, "batch": args.batch, "machine": machine(args.threads)}
    for units in (0, *args.units):
        options = json.dumps({"model": args.model, "batch": args.batch, "units": units})
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory", "--worker", options],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        name = f"recompute {units}" if units else "all kept"
        row = result[name] = json.loads(done.stdout)
        share = row["peak"] / result["all kept"]["peak"]
        print(
            f"{name:12} {row['peak']:6.0f} MiB ({share:.0%}), {row['seconds']:.1f} s a step, "
            f"loss {row['loss']:.5f}"
        )
    print(write_result(f"memory_{args.model}", result))


if __name__ == "__main__":
    main()
