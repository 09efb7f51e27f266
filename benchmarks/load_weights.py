"""Seconds from a name and a local file to a network with weights, in a fresh process each time.

    python -m benchmarks.load_weights [--rounds 15]

`get_model(pretrained=FILE)` for a parameter file alone and for one in a zoo entry, whose checksum
is verified, beside Gluon's own `load_parameters` on the same network and file. Importing MXNet is
not counted.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gluon_glore.utils.cpu import prepare_cpu

from .paired import add_options, machine, median_of, write_result

NAME = "resnet50_glore_2_3"
LIMIT = 1.5  # seconds
COMPETITORS = ("file", "entry", "gluon")


def work(kind, folder):
    """Load once and print the seconds."""
    import mxnet as mx

    import gluon_glore

    folder = Path(folder)
    params = f"{NAME}-0000.params"
    start = time.perf_counter()
    if kind == "gluon":
        net = gluon_glore.get_model(NAME)
        net.load_parameters(str(folder / "file" / params))
    else:
        net = gluon_glore.get_model(NAME, pretrained=folder / kind / params)
    mx.nd.waitall()
    print(time.perf_counter() - start)


def prepare(folder):
    """The same random weights as a file alone and as an entry."""
    from gluon_glore import get_model, save_weights
    from gluon_glore.data.image import Preprocess
    from gluon_glore.weights.card import Card
    from gluon_glore.weights.manifest import Manifest, write_manifest

    net = get_model(NAME)
    net.initialize()
    for kind in ("file", "entry"):
        save_weights(net, folder / kind / f"{NAME}-0000.params")
    names = tuple(str(i) for i in range(net.classes))
    manifest = Manifest(NAME, names, Preprocess(), spec=net.spec, card=Card("random"))
    write_manifest(folder / "entry", manifest, [f"{NAME}-0000.params"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser, batch=1)
    args = parser.parse_args()
    prepare_cpu()
    if args.worker:
        return work(**json.loads(args.worker))

    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        seconds = {kind: [] for kind in COMPETITORS}
        for _ in range(args.rounds):
            for kind in COMPETITORS:
                options = json.dumps({"kind": kind, "folder": folder})
                command = [sys.executable, "-m", "benchmarks.load_weights", "--worker", options]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                seconds[kind].append(float(done.stdout))
    result = {
        "network": NAME,
        "rounds": args.rounds,
        "seconds": {kind: median_of(lambda s: s, seconds[kind]) for kind in COMPETITORS},
        "limit": LIMIT,
        "machine": machine(args.threads),
    }
    print({kind: round(s, 3) for kind, s in result["seconds"].items()})
    print(write_result("load_weights", result))


if __name__ == "__main__":
    main()
