"""An exported folder, read: which files it has, and what its manifest says."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ..networks.paper import get_spec
from ..plan.unit_names import UnitNames
from ..utils.errors import InputError
from ..weights.manifest import Manifest, read_manifest


@dataclass(frozen=True)
class Files:
    """The files of an exported folder and what its manifest says of them."""

    folder: Path
    manifest: Manifest

    @property
    def symbol(self):
        """The path of the network for MXNet."""
        return self.folder / f"{self.manifest.model}-symbol.json"

    @property
    def params(self):
        """The path of its parameters."""
        return self.folder / f"{self.manifest.model}-0000.params"

    @property
    def onnx(self):
        """The path of the network for the other runtimes; it need not be there."""
        return self.folder / f"{self.manifest.model}.onnx"

    @property
    def units(self):
        """The units of the network, a `UnitNames`."""
        return UnitNames(self.manifest.spec or get_spec(self.manifest.model))

    def with_deployment(self, **changes):
        """The same files, the manifest's deployment changed."""
        deployment = dataclasses.replace(self.manifest.deployment, **changes)
        manifest = dataclasses.replace(self.manifest, deployment=deployment)
        return dataclasses.replace(self, manifest=manifest)

    def has(self, path):
        """Whether a file belongs to the folder: its manifest, once written, knows it."""
        known = self.manifest.sha256
        return path.name in known if known else path.is_file()


def read_files(folder) -> Files:
    """The files of an exported folder, verified.

    Raises InputError where one is missing, damaged, or it is no exported folder.
    """
    manifest = read_manifest(folder)
    files = Files(Path(folder), manifest)
    for path in (files.symbol, files.params):
        if not files.has(path):
            raise InputError(f"{folder}: not an exported network, no {path.name} in its manifest")
    if manifest.deployment is None:
        raise InputError(f"{folder}: exported by an older version, export it again")
    return files


def is_export(folder):
    """Whether a folder looks like an exported network."""
    return any(Path(folder).glob("*-symbol.json"))
