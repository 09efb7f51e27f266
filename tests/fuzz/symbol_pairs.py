"""Symbols and parameters of any network, and the files that describe one, damaged."""

import functools
import tempfile
from pathlib import Path

import mxnet as mx

from gluon_glore.data.image import Preprocess
from gluon_glore.data.signature import Signature, read_description
from gluon_glore.export.symbol_pair import load_pair
from tests.helpers.any_networks import CLASSES, classifier, exported_by_gluon, saved_by_module

from .graphs import mutate_graph
from .kind import MIB, Kind
from .mutate import mutate_bytes, one_file
from .mutate_text import mutate_yaml

SYMBOL, PARAMS = "net-symbol.json", "net-0000.params"
PIXELS = Preprocess((16, 16), 0, (0.0, 0.0, 0.0), 1.0)


@functools.cache
def pairs():
    """A network as `net.export` writes it, and one as Module does."""
    mx.random.seed(0)
    made = []
    with tempfile.TemporaryDirectory() as place, mx.name.NameManager():  # names count from 0
        path = Path(place) / "net"
        for write in (lambda path: exported_by_gluon(classifier(), path), saved_by_module):
            write(path)
            made.append({name: (Path(place) / name).read_bytes() for name in (SYMBOL, PARAMS)})
    return made


def read_pair(files, folder):
    """Load a symbol with its parameters as commands do, which also runs it once."""
    for name, content in files.items():
        (Path(folder) / name).write_bytes(content)
    symbol, params = Path(folder) / SYMBOL, Path(folder) / PARAMS
    _, manifest = load_pair(symbol, params, PIXELS, CLASSES, Signature())
    assert manifest.task == "classify" and manifest.spec is None


def descriptions():
    """Files that describe a network of pictures, and one of videos."""
    return [
        b"input: [3, 32, 32]\npixels: torchvision\nresize: 36\nclass_names: names.txt\n",
        b"input: [1, 8, 28, 28]\nmean: 22\nscale: 0.0167\nresize: 0\nstride: 2\nrate: 25.0\n"
        b"output: fc1\nclass_names: [cat, dog]\n",
    ]


def describe(data, folder):
    """Read a description, and prepare a picture as it says."""
    path = Path(folder) / "net.yaml"
    path.write_bytes(data)
    signature, pixels, names = read_description(path)
    size = signature.size
    assert pixels.fitted(size[0], size[-2:]).channels == size[0]
    assert names is None or isinstance(names, (tuple, Path))


ROWS = {
    "symbol-pair": Kind(
        pairs,
        one_file({SYMBOL: mutate_graph, PARAMS: mutate_bytes}),
        read_pair,
        memory=512 * MIB,
        seconds=20.0,
    ),
    "description": Kind(descriptions, mutate_yaml, describe, share=5),
}
