"""How much of a network's time its GloRe units take, against their share of its multiply-adds.

    python -m benchmarks.unit_share [--model resnet50_glore_2_3] [--batch 8]

The network and its plain backbone run in turns, hybridised, forward and forward + backward. The
units' share of the time is 1 - backbone / network; a unit that runs as fast as the convolutions
around it has a share like that of its multiply-adds.
"""

import argparse
import dataclasses
import json

from .paired import add_options, machine, measure, median_of, serve_passes, write_result

LIMIT = 1.05  # the claim: share of time / share of multiply-adds, at most


def make_network(model, plain):
    """A registered network, or its backbone without the extra units."""
    from gluon_glore import Network, get_spec

    spec = get_spec(model)
    return Network(dataclasses.replace(spec, extras=()) if plain else spec)


def work(model, plain, batch, backward):
    """Serve one pass over random pixels."""
    import mxnet as mx

    net = make_network(model, plain)
    x = mx.nd.random.normal(shape=(batch, net.spec.in_channels, *net.spec.input_size))
    serve_passes(net, x, backward)


def share_of_macs(model):
    """The extra units' share of the multiply-adds."""
    from gluon_glore.networks.complexity import count_network
    from gluon_glore.plan.complexity import totals

    whole, backbone = (
        totals(count_network(make_network(model, plain)))[1] for plain in (False, True)
    )
    return 1 - backbone / whole


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="resnet50_glore_2_3")
    add_options(parser, batch=8)
    args = parser.parse_args()
    if args.worker:
        return work(**json.loads(args.worker))

    result = {
        "model": args.model,
        "batch": args.batch,
        "rounds": args.rounds,
        "machine": machine(args.threads),
        "share_of_macs": share_of_macs(args.model),
    }
    for name, backward in (("forward", False), ("forward + backward", True)):
        options = {"model": args.model, "batch": args.batch, "backward": backward}
        seconds = measure(
            "benchmarks.unit_share",
            {"network": {**options, "plain": False}, "backbone": {**options, "plain": True}},
            args.rounds,
            args.threads,
        )
        share = median_of(lambda n, b: 1 - b / n, seconds["network"], seconds["backbone"])
        result[name] = {
            **{key: median_of(float, value) for key, value in seconds.items()},
            "share_of_time": share,
            "ratio": share / result["share_of_macs"],
        }
        print(
            f"{name:19} {result[name]['network']:.3f} s, backbone {result[name]['backbone']:.3f} s:"
            f" units {share:.1%} of the time, {result['share_of_macs']:.1%} of the multiply-adds,"
            f" ratio {result[name]['ratio']:.2f} (limit {LIMIT})"
        )
    print(write_result(f"unit_share_{args.model}", result))


if __name__ == "__main__":
    main()
