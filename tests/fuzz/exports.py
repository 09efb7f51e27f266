"""Exported folders whose symbol, parameters or ONNX file fit their checksums and are damaged."""

import functools
import tempfile
from pathlib import Path

import mxnet as mx
import numpy as np

from benchmarks.networks import settle
from gluon_glore import Network
from gluon_glore.data.image import Preprocess
from gluon_glore.export import export_model
from gluon_glore.export.files import read_files
from gluon_glore.export.runtimes import start_runtime
from gluon_glore.weights.manifest import MANIFEST, Manifest
from tests.helpers.networks import initialize

from .graphs import SPEC, mutate_graph
from .kind import MIB, Kind
from .mutate import checksums_in, mutate_bytes, one_file

NAME = "fuzzed"
SYMBOL, PARAMS, ONNX = f"{NAME}-symbol.json", f"{NAME}-0000.params", f"{NAME}.onnx"
X = np.zeros((2, 3, 8, 8), "float32")


def made(folder, **how):
    """Export a small network to a folder."""
    net = Network(SPEC, classes=2)
    initialize(net)
    mx.random.seed(0)
    settle(net, mx.nd.random.normal(shape=(4, 3, 8, 8)))
    preprocess = Preprocess((8, 8), 0, (0.0, 0.0, 0.0), 1.0)
    return export_model(net, folder, Manifest(NAME, ("no", "yes"), preprocess, spec=SPEC), **how)


@functools.cache
def folders():
    """The files of a small exported network."""
    with tempfile.TemporaryDirectory() as place:
        folder = made(Path(place) / "out", onnx=True)
        return [{file.name: file.read_bytes() for file in folder.iterdir()}]


def run_by(name, files, folder):
    """Load a folder in a runtime, here and not in a process of its own, and run a batch."""
    for file, content in files.items():
        (Path(folder) / file).write_bytes(content)
    assert start_runtime(read_files(folder), name)(X).shape == (2, 2)


def kind(name, **mutators):
    """A kind of the folders that one runtime reads."""
    refit = checksums_in(MANIFEST, (SYMBOL, PARAMS, ONNX))
    files = {{"symbol": SYMBOL, "params": PARAMS, "onnx": ONNX}[k]: m for k, m in mutators.items()}
    target = functools.partial(run_by, name)
    return Kind(folders, one_file(files, refit), target, memory=512 * MIB, seconds=20.0)


ROWS = {
    "mxnet": kind("mxnet", symbol=mutate_graph, params=mutate_bytes),
    "onnxruntime": kind("onnxruntime", onnx=mutate_bytes),
    "openvino": kind("openvino", onnx=mutate_bytes),
}
