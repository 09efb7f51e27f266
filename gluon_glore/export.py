"""A network as files that run anywhere: static symbol, parameters and a manifest.

`DIR/NAME-symbol.json` and `DIR/NAME-0000.params` load with `SymbolBlock.imports` and with Module;
`DIR/manifest.yaml` says what goes in and comes out.
"""

import dataclasses
import os
import warnings
from pathlib import Path

import mxnet as mx
import numpy as np
from mxnet.gluon import SymbolBlock

from .atomic import atomic_path
from .errors import InputError
from .manifest import Manifest, read_manifest, write_manifest
from .registry import unregistered
from .weights import named_arrays


def export_model(net, directory, manifest: Manifest):
    """Write symbol, parameters and manifest of a `Network`, load them back and compare.

    The symbol is the trace of the block. Returns the directory's path. Raises InputError where the
    manifest's classes or channels are not the network's, RuntimeError where the loaded files do
    not give the network's outputs.
    """
    if len(manifest.class_names) != net.classes:
        raise InputError(f"{net.classes} class names needed, given {len(manifest.class_names)}")
    channels = manifest.preprocess.channels
    if channels != net.spec.in_channels:
        raise InputError(
            f"{manifest.model} takes {net.spec.in_channels} channels, given {channels}"
        )
    directory = Path(directory)
    manifest = dataclasses.replace(manifest, spec=unregistered(net.spec, manifest.model))
    paths = _paths(directory, manifest.model)
    with atomic_path(paths[0]) as temporary:
        net(mx.sym.var("data")).save(os.fspath(temporary))
    with atomic_path(paths[1]) as temporary:
        mx.nd.save(os.fspath(temporary), named_arrays(net))
    write_manifest(directory, manifest, [path.name for path in paths])

    shape = (2, channels, *manifest.preprocess.size)
    x = mx.nd.array(np.random.RandomState(0).normal(size=shape))
    expected, got = (f(x).asnumpy() for f in (net, import_model(directory)[0]))
    if not np.allclose(got, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max()):
        raise RuntimeError(f"{directory}: the exported network does not give the same outputs")
    return directory


def import_model(directory, ctx=None):
    """Load an exported folder: (SymbolBlock from `(B, C, H, W)` to logits, Manifest).

    Raises InputError where a file is missing or damaged.
    """
    directory = Path(directory)
    manifest = read_manifest(directory)
    paths = _paths(directory, manifest.model)
    for path in paths:
        if path.name not in manifest.sha256:
            raise InputError(
                f"{directory}: not an exported network, no {path.name} in its manifest"
            )
    symbol, params = map(os.fspath, paths)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Cannot decide type")  # of data: float32 by default
        return SymbolBlock.imports(symbol, ["data"], params, ctx=ctx), manifest


def is_export(directory):
    """Whether a folder looks like an exported network."""
    return any(Path(directory).glob("*-symbol.json"))


def _paths(directory, name):
    return directory / f"{name}-symbol.json", directory / f"{name}-0000.params"
