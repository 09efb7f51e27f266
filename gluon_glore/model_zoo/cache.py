"""The cache: the folder of weights on this machine, its lock, and what came from where.

Its root ($GLORE_HOME, else ~/.mxnet/models as for Gluon's own zoo) has a folder for each entry of
the model zoo, `NAME-<first 8 digits of the parameters' sha256>`. `sources.yaml` has the address
and the digest of every file that was ever downloaded.
"""

import contextlib
import datetime
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import portalocker
import yaml

from ..utils.errors import InputError, naming
from ..utils.files import write_text
from ..utils.yaml_file import read_yaml
from ..weights.manifest import MANIFEST, Manifest, check_sum, params_of, parse_manifest
from ..weights.state_file import own_manifest
from .catalogue import DIGEST

SOURCES = "sources.yaml"
WORK = ".work"
WAIT = 3600  # seconds that another process may take to download weights


@dataclass(frozen=True)
class Found:
    """A parameter file; `manifest` says what network it is of, None where nothing does."""

    params: Path
    manifest: Optional[Manifest] = None


def default_root() -> Path:
    """Where weights lie: $GLORE_HOME, else ~/.mxnet/models as for Gluon's own model zoo."""
    return Path(os.environ.get("GLORE_HOME") or "~/.mxnet/models").expanduser()


def with_manifest(params) -> Found:
    """A parameter file, and the manifest beside it where there is one that lists the file.

    Else that in it, as `save_weights` of `gluon_glore.pytorch` writes one. Raises InputError where
    the file is missing, or has not the manifest's checksum.
    """
    params = Path(params)
    if params.is_file() and (params.parent / MANIFEST).is_file():
        manifest = parse_manifest(params.parent / MANIFEST)
        if params.name in manifest.sha256:
            return _checked(params, manifest)
    return Found(params, own_manifest(params))


def installed(name=None, root=None):
    """`[(folder, manifest), ...]` of a network's entries in the root, the newest first.

    Of all networks by default. Only the manifests are read, no other file is checked.
    """
    root = Path(root or default_root()).expanduser()
    named = (path for path in root.glob("*-*") if path.name.startswith(f"{name}-" if name else ""))
    folders = [path for path in named if (path / MANIFEST).is_file()]
    found = []
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        with contextlib.suppress(InputError):
            manifest = parse_manifest(folder / MANIFEST)
            if name in (None, manifest.model) and manifest.card:
                found.append((folder, manifest))
    return found


def digests(manifest):
    """The sha256 of an entry's parameter files, a list."""
    return [digest for file, digest in manifest.sha256.items() if file.endswith(".params")]


def origins(manifest):
    """The digests that `sources.yaml` may have of an entry: its source's and its parameters'."""
    return {manifest.card.source_sha256, *digests(manifest)}


def verified(folder) -> Found:
    """The parameters of a folder with a manifest. Raises InputError where a checksum differs."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise InputError(
            f"{folder}: no {MANIFEST} in it; a released network's folder is imported with "
            "`python -m gluon_glore import`"
        )
    manifest = parse_manifest(folder / MANIFEST)
    return _checked(params_of(folder, manifest), manifest)


def _checked(params, manifest) -> Found:
    """A parameter file under its manifest. Raises InputError where its checksum differs."""
    check_sum(params, manifest.sha256.get(params.name))
    return Found(params, manifest)


def verified_entry(folder) -> Found:
    """`verified` for an entry in the root. Raises InputError, which says what to do."""
    try:
        return verified(folder)
    except InputError as error:
        raise InputError(f"{error}; delete {folder}, the next call brings it anew") from None


@contextlib.contextmanager
def locked_folder(root):
    """An empty folder in the root to work in, which one process at a time is given.

    Raises InputError where another one has it for longer than `WAIT` seconds.
    """
    temporary = root / WORK
    with naming(root):
        root.mkdir(parents=True, exist_ok=True)
        try:
            with portalocker.Lock(root / ".lock", "a", timeout=WAIT):
                shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
                temporary.mkdir()
                try:
                    yield temporary
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
        except portalocker.LockException:
            raise InputError(f"{root}: another process has held its lock for {WAIT} s") from None


def recorded(root):
    """{address: sha256} of all files that were ever downloaded to a root."""
    return {address: entry["sha256"] for address, entry in _read_sources(root).items()}


def record(root, address, digest):
    """Note the sha256 of what came from an address, where there is no note of it yet."""
    sources = _read_sources(root)
    first = {"sha256": digest, "first_used": datetime.date.today().isoformat()}
    if sources.setdefault(address, first) is first:
        write_text(root / SOURCES, yaml.safe_dump(sources))


def _read_sources(root):
    """`{address: {"sha256", "first_used"}}`. Raises InputError where the file is damaged."""
    file = root / SOURCES
    reason = "not addresses and their digests"
    try:
        sources = read_yaml(file) if file.exists() else {}
        if all(DIGEST.fullmatch(entry["sha256"]) for entry in sources.values()):
            return sources
    except InputError as error:
        reason = error
    except (TypeError, KeyError, AttributeError):
        pass
    raise InputError(f"{file}: damaged, {reason}; without it, the next downloads are recorded anew")
