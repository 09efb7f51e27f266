"""The files of an exported folder, found and verified."""

import contextlib
import dataclasses
import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..plan.unit_names import OperatorNames, UnitNames
from ..utils.errors import InputError, naming
from ..weights.golden import BATCH, GOLDEN, golden_classes
from ..weights.manifest import MANIFEST, Manifest, labels_pixels, read_manifest, spec_of

SYMBOL = "-symbol.json"  # how the names of MXNet's symbol files end
CONFIG = "config.pbtxt"  # of a model of Triton's, beside its versions
LARGER = 32, 64  # pixels higher and wider: another size, which a network of any size takes, too


@dataclass(frozen=True)
class Files:
    """An exported folder and its manifest, which names its files and says what runs of them."""

    folder: Path
    manifest: Manifest

    @property
    def stem(self):
        """What the names of its files begin with."""
        return self.manifest.deployment.stem or self.manifest.model

    @property
    def symbol(self):
        """The path of MXNet's symbol."""
        return self.folder / f"{self.stem}{SYMBOL}"

    @property
    def params(self):
        """The path of the symbol's parameters."""
        return self.folder / f"{self.stem}-0000.params"

    @property
    def onnx(self):
        """The path of the ONNX file for the other runtimes; it need not be there."""
        return self.folder / f"{self.stem}.onnx"

    @property
    def program(self):
        """The path of the program for PyTorch; it need not be there."""
        return self.folder / f"{self.stem}.pt2"

    @property
    def safetensors(self):
        """The path of the network's own parameters for PyTorch; it is there with `program`."""
        return self.folder / f"{self.stem}.safetensors"

    @property
    def units(self):
        """The names of the network's units: its spec's, or as its manifest lists them."""
        spec = spec_of(self.manifest)
        return UnitNames(spec) if spec else OperatorNames(self.manifest.deployment.units)

    @property
    def sample_shape(self):
        """A shape that the input may have: a batch of 2, varying height and width as trained."""
        deployment = self.manifest.deployment
        own = dict(zip("WH", reversed(self.manifest.preprocess.size)))
        axes = zip(deployment.shape, deployment.layout)
        return tuple(n or own.get(axis, BATCH) for n, axis in axes)

    @property
    def larger_shape(self):
        """`sample_shape` with what may vary of height and width larger."""
        deployment, more = self.manifest.deployment, dict(zip("HW", LARGER))
        axes = zip(self.sample_shape, deployment.shape, deployment.layout)
        return tuple(size + more.get(axis, 0) * (n is None) for size, n, axis in axes)

    def output_shape(self, shape):
        """The shape of the logits of an input of `shape`: `(B, classes)`, of pixels with H, W."""
        sizes = zip(shape, self.manifest.deployment.layout)
        space = [n for n, axis in sizes if axis in "HW"] if labels_pixels(self.manifest) else ()
        return (shape[0], len(self.manifest.class_names), *space)

    def with_deployment(self, **changes):
        """The same files, the manifest's deployment changed."""
        deployment = dataclasses.replace(self.manifest.deployment, **changes)
        manifest = dataclasses.replace(self.manifest, deployment=deployment)
        return dataclasses.replace(self, manifest=manifest)

    def has(self, path):
        """Whether the manifest lists a file; before it is written, whether the file is there."""
        known = self.manifest.sha256
        return path.name in known if known else path.is_file()


def read_files(folder) -> Files:
    """The files of an exported folder, verified, or of the newest version of a model of Triton's.

    Raises InputError where one is missing, damaged, it is no exported folder, or has more or fewer
    class names than its golden logits have classes.
    """
    folder = _newest(folder)
    manifest = read_manifest(folder)
    if manifest.deployment is None:
        raise InputError(
            f"{folder}: not an exported network, or exported by an older version: export it again"
        )
    files = Files(folder, manifest)
    for path in (files.symbol, files.params):
        if not files.has(path):
            raise InputError(f"{folder}: not an exported network, no {path.name} in its manifest")
    names = len(manifest.class_names)
    if files.has(files.folder / GOLDEN) and golden_classes(files.folder) != names:
        raise InputError(
            f"{files.folder / MANIFEST}: class_names: {names} names, the logits in {GOLDEN} are of "
            f"{golden_classes(files.folder)} classes: they do not fit"
        )
    return files


def is_export(folder):
    """Whether a folder looks like an exported network, or a model of Triton's with one.

    Raises InputError where it can't be looked into.
    """
    with naming(folder), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return any(name.endswith(SYMBOL) for name in os.listdir(_newest(folder)))
    return False


def _newest(folder):
    """The newest version where a folder is a model of Triton's, else the folder itself."""
    folder = Path(folder)
    if not os.path.isfile(folder / CONFIG):
        return folder
    versions = [path for path in folder.iterdir() if re.fullmatch(r"[1-9]\d{0,9}", path.name)]
    return max(versions, key=lambda path: int(path.name), default=folder)


def symbol_of(model):
    """The symbol file that a text is, or is the name of without "-symbol.json"; else None."""
    path = Path(model)
    if path.name.endswith(".json"):
        return path
    beside = path.with_name(f"{path.name}{SYMBOL}")
    return beside if path.name and beside.is_file() else None


def params_beside(symbol):
    """The one NAME-0000.params, of any number, beside NAME-symbol.json.

    Raises InputError where there is none, or several.
    """
    name = symbol.name.removesuffix(SYMBOL)
    found = sorted(symbol.parent.glob(f"{glob.escape(name)}-[0-9][0-9][0-9][0-9].params"))
    if len(found) != 1:
        several = f"{len(found)} files {name}-NNNN.params" if found else f"no {name}-0000.params"
        raise InputError(f"{symbol}: {several} beside it, say which: --params FILE")
    return found[0]
