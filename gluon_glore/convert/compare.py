"""The logits of a released symbol as it is, with which those of imported weights are compared.

MXNet's oneDNN operators can't run the released graphs, its plain ones can, slowly. The environment
chooses them, so the symbol runs in a process of its own, which a damaged file may also kill:

    python -m gluon_glore.convert.compare SYMBOL PARAMS INPUT.npy LOGITS.npy
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ..networks.graph import data_name, last_layer, read_graph
from ..utils.errors import InputError

PLAIN = {
    "MXNET_MKLDNN_ENABLED": "0",
    "MXNET_SUBGRAPH_BACKEND": "NONE",
    "MXNET_STORAGE_FALLBACK_LOG_VERBOSE": "0",  # a page of warnings for every operator
}
TIMEOUT = 1800  # seconds


def released_logits(symbol, params, x):
    """The logits `(B, classes)` of a released symbol for the pixels `x`, by plain operators.

    Raises InputError where it does not run.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, wanted = (Path(folder) / name for name in ("input.npy", "logits.npy"))
        np.save(given, x)
        command = [sys.executable, "-m", __name__, *map(os.fspath, (symbol, params, given, wanted))]
        environment = {**os.environ, **PLAIN}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=TIMEOUT
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{symbol}: does not run within {TIMEOUT} s") from None
        if done.returncode or not wanted.is_file():
            reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise InputError(f"{symbol}: does not run on MXNet's plain operators: {reason}")
        return np.load(wanted)


def main(symbol, params, given, wanted):
    """Run the symbol up to its classifier."""
    import mxnet as mx

    from ..weights.names import without_kinds
    from ..weights.params_file import read_params
    from .mxnet_release import as_in_file

    nodes = read_graph(symbol)
    data = data_name(nodes)
    logits = mx.sym.flatten(_up_to(symbol, nodes.index(last_layer(nodes))))
    arrays = without_kinds(read_params(params))

    def array(name):
        return mx.nd.array(np.load(given) if name == data else arrays[as_in_file(name, arrays)])

    executor = logits.bind(
        mx.cpu(),
        {name: array(name) for name in logits.list_arguments()},
        aux_states={name: array(name) for name in logits.list_auxiliary_states()},
        grad_req="null",
    )
    np.save(wanted, executor.forward()[0].asnumpy())


def _up_to(symbol, place):
    """The symbol of a file up to the node at `place`: names may be there twice."""
    import mxnet as mx

    graph = json.loads(Path(symbol).read_text())
    return mx.sym.load_json(json.dumps({**graph, "heads": [[place, 0, 0]]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
