"""The post-norm unit's two ways back: extension(nodes * mask) and extension(nodes) * mask.

    python -m benchmarks.projection_order

Times both at the shapes that networks have, forward and forward + backward, beside their
multiply-adds. `GloReUnit.ordered_for` decides by these figures.
"""

import argparse
import json
import math

from .paired import add_options, machine, measure, median_of, serve_passes, write_result

SHAPES = {  # name: channels, nodes, space, share of the batch
    "2-D Res3": (512, 128, (28, 28), 1),
    "2-D Res4": (1024, 256, (14, 14), 1),
    "2-D Res4, 320 pixels": (1024, 256, (20, 20), 1),
    "3-D Res3": (512, 128, (4, 28, 28), 4),
    "3-D Res4": (1024, 256, (4, 14, 14), 4),
}


def work(shape, extend_first, batch, backward):
    """Serve one pass of a unit."""
    import mxnet as mx

    from gluon_glore import GloRe

    channels, nodes, space, _ = SHAPES[shape]
    unit = GloRe(channels, nodes, len(space), arrangement="post", extend_first=extend_first)
    x = mx.nd.random.normal(shape=(batch, channels, *space))
    x.attach_grad()
    serve_passes(unit, x, backward)


def macs(shape):
    """Multiply-adds of extending first, as a share of those of the other order."""
    from gluon_glore import GloReUnit

    channels, nodes, space, _ = SHAPES[shape]
    unit = GloReUnit(shape, channels, nodes, len(space), arrangement="post")
    locations = math.prod(space)
    return unit.macs_back(locations, True) / unit.macs_back(locations, False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, batch=8)
    args = parser.parse_args()
    if args.worker:
        return work(**json.loads(args.worker))

    rows = {}
    for shape, (*_, part) in SHAPES.items():
        rows[shape] = {"macs": macs(shape)}
        for name, backward in (("forward", False), ("forward + backward", True)):
            options = {"shape": shape, "batch": max(1, args.batch // part), "backward": backward}
            seconds = measure(
                "benchmarks.projection_order",
                {
                    order: {**options, "extend_first": order == "first"}
                    for order in ("first", "last")
                },
                args.rounds,
                args.threads,
            )
            rows[shape][name] = median_of(lambda a, b: a / b, seconds["first"], seconds["last"])
        print(shape, ", ".join(f"{key} {value:.2f}" for key, value in rows[shape].items()))
    result = {"batch": args.batch, "rounds": args.rounds, "machine": machine(args.threads)}
    print(write_result("projection_order", {**result, "first / last": rows}))


if __name__ == "__main__":
    main()
