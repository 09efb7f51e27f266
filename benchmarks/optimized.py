"""A network's inference as Gluon runs it, optimised, and with oneDNN's fused operators.

    python -m benchmarks.optimized [--model NAME or FOLDER] [--batch 8]

Four processes take turns: the hybridised block (static memory); the symbol that
`gluon_glore.export.optimize` makes of it; and both with `fuse_for_cpu`. Ratios are to the block's
seconds. FOLDER is any network, exported with --plain.
"""

import argparse
import json
from pathlib import Path

from .networks import make_block
from .paired import add_options, machine, measure, median_of, serve, write_result

COMPETITORS = {
    "gluon": {"smaller": False, "fused": False},
    "optimised": {"smaller": True, "fused": False},
    "fused": {"smaller": False, "fused": True},
    "optimised, fused": {"smaller": True, "fused": True},
}


def work(model, batch, smaller, fused):
    """Serve one pass over random pixels."""
    import mxnet as mx

    from gluon_glore.export.optimize import as_block, fuse_for_cpu, optimize
    from gluon_glore.weights import named_arrays

    net, x = make_block(model, batch)
    if smaller or fused:
        symbol, arrays = net(mx.sym.var("data")), named_arrays(net)
        if smaller:
            symbol, arrays = optimize(symbol, arrays)
        if fused:
            symbol, arrays = fuse_for_cpu(symbol, arrays, x.shape)
        net = as_block(symbol, arrays)
    net.hybridize(static_alloc=True, static_shape=True)

    def step():
        net(x)
        mx.nd.waitall()

    serve(step)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50_glore_2_3")
    add_options(parser, batch=8)
    args = parser.parse_args()
    if args.worker:
        return work(**json.loads(args.worker))

    options = {"model": args.model, "batch": args.batch}
    seconds = measure(
        "benchmarks.optimized",
        {name: {**options, **row} for name, row in COMPETITORS.items()},
        args.rounds,
        args.threads,
    )
    rows = {
        name: {
            "seconds": median_of(float, values),
            "share": median_of(lambda a, b: a / b, values, seconds["gluon"]),
        }
        for name, values in seconds.items()
    }
    for name, row in rows.items():
        print(f"{name:17} {row['seconds']:.3f} s, {row['share']:.3f} of Gluon's")
    result = {**options, "rounds": args.rounds, "machine": machine(args.threads), "passes": rows}
    print(write_result(f"optimized_{Path(args.model).name}", result))


if __name__ == "__main__":
    main()
