"""Where a network's time goes, by operator.

    python -m benchmarks.profile_operators [--model NAME or FOLDER] [--batch 8] [--train]

Prints milliseconds a pass, calls and share of each operator of MXNet's, forward, or with `--train`
forward and backward. The network is a registered one, its units in the other arrangement
(`NAME_post`), or an exported folder. Operators run one by one here: together they may be faster.
With DNNL_VERBOSE=1 in the environment oneDNN prints its own operations, changes of layout too.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from gluon_glore.utils.cpu import prepare_cpu

from .networks import make_block
from .paired import write_result

WARMUP = 3


def profile(net, x, train, passes):
    """Seconds a pass, and `{operator: (calls a pass, milliseconds a pass)}`."""
    import mxnet as mx
    from mxnet import autograd, profiler

    def step():
        if train:
            with autograd.record():
                y = net(x)
            y.backward()
        else:
            net(x)
        mx.nd.waitall()

    for _ in range(WARMUP):
        step()
    # The trace is not read, but MXNet replaces the file that it is told: never os.devnull.
    trace = os.path.join(tempfile.mkdtemp(), "trace.json")
    profiler.set_config(
        profile_symbolic=True, profile_imperative=True, aggregate_stats=True, filename=trace
    )
    profiler.set_state("run")
    start = time.perf_counter()
    for _ in range(passes):
        step()
    seconds = (time.perf_counter() - start) / passes
    profiler.set_state("stop")
    shutil.rmtree(os.path.dirname(trace))
    stored = json.loads(profiler.dumps(format="json"))["Time"]["operator"]
    rows = {name: (row["Count"] / passes, row["Total"] / passes) for name, row in stored.items()}
    return seconds, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50_glore_2_3")
    parser.add_argument("--batch", type=int, default=8, help="images at once (8)")
    parser.add_argument("--passes", type=int, default=5, help="(5)")
    parser.add_argument("--train", action="store_true", help="forward and backward")
    args = parser.parse_args()
    prepare_cpu()
    for which in ("INFERENCE", "TRAIN"):  # else operators are timed in bulk
        os.environ[f"MXNET_EXEC_BULK_EXEC_{which}"] = "0"
    net, x = make_block(args.model, args.batch)
    net.hybridize(static_alloc=True, static_shape=True)
    seconds, rows = profile(net, x, args.train, args.passes)
    rows = sorted(rows.items(), key=lambda row: -row[1][1])
    whole = sum(ms for _, (_, ms) in rows)
    print(f"{seconds:.3f} s a pass, {whole / 1000:.3f} s in operators")
    for name, (calls, ms) in rows:
        print(f"{name:36.36} {calls:6.0f} calls {ms:9.2f} ms {ms / whole:6.1%}")
    shares = {name: {"calls": calls, "ms": ms} for name, (calls, ms) in rows}
    name = f"profile_{Path(args.model).name}{'_train' if args.train else ''}"
    print(write_result(name, {**vars(args), "seconds": seconds, "operators": shares}))


if __name__ == "__main__":
    main()
