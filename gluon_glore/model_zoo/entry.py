"""An entry of the model zoo: a folder with parameters, manifest, golden numbers and a model card.

`NAME-0000.params`, `golden.npz` (seed and shape of a normal input, and the logits it gave),
`README.md` (the card) and what was published with it, all under the checksums of `manifest.yaml`.
"""

import dataclasses
import shutil
import zipfile
from pathlib import Path

import mxnet as mx
import numpy as np

from ..networks.network import Network
from ..networks.registry import check_name
from ..utils.errors import InputError
from ..utils.files import is_taken, new_folder, write_text
from ..weights.card import markdown
from ..weights.manifest import MANIFEST, params_of, parse_manifest, read_manifest, write_manifest
from ..weights.parameters import load_weights, save_arrays, with_kinds

GOLDEN = "golden.npz"
CARD = "README.md"
SEED = 7
TOLERANCE = 5e-3  # of the logits' standard deviation, as for the authors' golden numbers


def write_entry(directory, manifest, arrays, extra_files=(), dtype="float32"):
    """Write an entry, the whole folder or nothing; returns it.

    `manifest` has spec and card; `arrays` are the parameters by their full names, saved as `dtype`
    ("float16" halves the file, and the golden numbers are those of what was saved); `extra_files`
    are copied in. Raises InputError where `directory` is not empty or can't be written, or the
    parameters are not the network's.
    """
    directory = Path(directory)
    check_name(manifest.model)
    spec = dataclasses.replace(
        manifest.spec, name=manifest.model, classes=len(manifest.class_names)
    )
    manifest = dataclasses.replace(manifest, spec=spec)
    if is_taken(directory):
        raise InputError(f"{directory}: not an empty folder")
    with new_folder(directory) as folder:
        params = f"{manifest.model}-0000.params"
        arrays = {name: mx.nd.array(array, dtype=dtype) for name, array in arrays.items()}
        save_arrays(folder / params, with_kinds(arrays))
        _write_golden(folder, spec, folder / params)
        for file in extra_files:
            shutil.copy(file, folder)
        files = sorted(path.name for path in folder.iterdir())
        write_manifest(folder, manifest, files)
        write_text(folder / CARD, markdown(parse_manifest(folder / MANIFEST)))
    return directory


def golden_input(spec):
    """A normal input `(2, C, *input_size)` that needs no file."""
    shape = (2, spec.in_channels, *spec.input_size)
    return np.random.RandomState(SEED).normal(size=shape).astype("float32")


def _write_golden(folder, spec, params):
    x = golden_input(spec)
    net = Network(spec)
    load_weights(net, params)
    logits = _logits(net, x)
    if not np.isfinite(logits).all():
        raise InputError(f"{spec.name}: with these weights its logits are not finite")
    np.savez_compressed(folder / GOLDEN, seed=SEED, shape=x.shape, logits=logits)


def check_golden(folder):
    """Run an entry on its golden input: the largest difference, of the logits' deviation.

    Raises InputError where its files are damaged or the logits differ by more than `TOLERANCE`.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    if manifest.spec is None or GOLDEN not in manifest.sha256:
        raise InputError(f"{folder}: no golden numbers in it")
    try:
        with np.load(folder / GOLDEN) as golden:
            seed, shape, expected = int(golden["seed"]), tuple(golden["shape"]), golden["logits"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        raise InputError(f"{folder / GOLDEN}: damaged golden numbers") from None
    net = Network(manifest.spec, len(manifest.class_names))
    load_weights(net, params_of(folder, manifest))
    x = np.random.RandomState(seed).normal(size=shape).astype("float32")
    return compare_logits(_logits(net, x), expected, folder)


def compare_logits(actual, expected, what):
    """The largest difference, as a share of the expected logits' standard deviation.

    Raises InputError where it is above `TOLERANCE`.
    """
    if actual.shape != expected.shape:
        raise InputError(f"{what}: logits of {actual.shape}, expected {expected.shape}")
    difference = float(np.abs(actual - expected).max() / expected.std())
    if not difference <= TOLERANCE:
        raise InputError(
            f"{what}: logits differ by {difference:.1e} of their deviation, at most {TOLERANCE}"
        )
    return difference


def _logits(net, x):
    return net(mx.nd.array(x)).asnumpy()


def add_measurement(folder, measured):
    """Write what was measured into an entry's manifest and card."""
    manifest = read_manifest(folder)
    card = dataclasses.replace(manifest.card, measured=measured)
    manifest = dataclasses.replace(manifest, card=card, score=measured["top1"])
    write_manifest(folder, manifest, list(manifest.sha256))
    write_text(Path(folder) / CARD, markdown(manifest))
