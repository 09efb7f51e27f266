"""Weights by name: found on this machine, or brought here once.

The root ($GLORE_HOME, else ~/.mxnet/models as for Gluon's own zoo) holds an entry a folder,
`NAME-<first 8 of the parameters' sha256>`; `NAME-0000.params`, put there by anyone, goes first.
`sources.yaml` has the digest of every file that was ever downloaded: one that changes is refused.
"""

import contextlib
import datetime
import glob
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional
from urllib.parse import unquote, urlsplit

import portalocker
import yaml

from ..atomic import sha256, write_text
from ..errors import InputError, naming
from ..manifest import MANIFEST, Manifest, params_of, parse_manifest, read_manifest
from .card import Card
from .catalogue import FILE, Row, catalogue, find_row, mirror_address, read_catalogue
from .download import download
from .importer import import_weights

SOURCES = "sources.yaml"
SMALL = 4 * 2**20  # bytes; manifests and catalogues
WAIT = 3600  # seconds for another process to bring the weights
_HASH = re.compile(r"[0-9a-f]{8,64}")
_URL = re.compile(r"\w+://")


@dataclass(frozen=True)
class Found:
    """A parameter file; `manifest` says what network it is of, None where nothing does."""

    params: Path
    manifest: Optional[Manifest] = None


def default_root() -> Path:
    """Where weights lie: $GLORE_HOME, else ~/.mxnet/models as for Gluon's own model zoo."""
    return Path(os.environ.get("GLORE_HOME", "~/.mxnet/models")).expanduser()


def find_weights(name, pretrained=True, root=None) -> Found:
    """The weights of the network `name`, verified; downloaded where they are not here yet.

    `pretrained` is True (what the catalogue has), the first 8 or more digits of the parameters'
    sha256, an address (https, http, file), or a path: of a parameter file, of a zoo entry, export
    or checkpoint, or of a released archive or PyTorch file. Of several processes one downloads, the
    others wait. Raises InputError where there are none, or they are damaged or changed.
    """
    root = Path(root or default_root()).expanduser()
    if not re.fullmatch(r"[\w.-]+", name):
        raise InputError(f"a network's name has letters, digits, '_', '-' and '.', given {name!r}")
    if pretrained is True:
        return _by_name(name, root)
    text = os.fspath(pretrained)
    if _URL.match(text):
        return _bring(_row_of(name, re.sub(r"/[^/]+\.params$", "", text)), root)
    path = Path(text).expanduser()
    if _HASH.fullmatch(text) and not path.exists():
        return _by_hash(name, text, root)
    if path.is_dir():
        return _verified(path)
    if path.suffix == ".params" or not path.is_file():
        return described(path)
    return _import_file(name, path, root)


def described(params) -> Found:
    """A parameter file, with the manifest beside it where that lists it, its checksum verified."""
    params = Path(params)
    if not (params.is_file() and (params.parent / MANIFEST).is_file()):
        return Found(params)
    manifest = parse_manifest(params.parent / MANIFEST)
    if params.name not in manifest.sha256:
        return Found(params)
    if sha256(params) != manifest.sha256[params.name]:
        raise InputError(f"{params}: damaged, its checksum is not the manifest's")
    return Found(params, manifest)


def rows():
    """The rows of the catalogues: the one at $GLORE_MIRROR first, then this package's own."""
    mirror = mirror_address()
    found = []
    if mirror:
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(InputError):
            file = Path(folder) / FILE
            download(f"{mirror.rstrip('/')}/{FILE}", file, limit=SMALL, attempts=1)
            found = read_catalogue(file, base=mirror)
    return [*found, *catalogue()]


def installed(name, root=None):
    """The entries of a network in the root, as (folder, manifest), the newest first."""
    root = Path(root or default_root()).expanduser()
    folders = [path for path in root.glob(f"{glob.escape(name)}-*") if (path / MANIFEST).is_file()]
    found = []
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        with contextlib.suppress(InputError):
            manifest = parse_manifest(folder / MANIFEST)
            if manifest.model == name and manifest.card:
                found.append((folder, manifest))
    return found


def _by_name(name, root):
    flat = root / f"{name}-0000.params"
    if flat.is_file():
        return described(flat)
    row = find_row(catalogue(), name)
    if not (row and row.packaged):
        row = find_row(rows(), name)
    if row is None:
        raise InputError(f"no weights for {name}: the catalogue has none, and there is no {flat}")
    return _bring(row, root)


def _by_hash(name, digits, root):
    for folder, manifest in installed(name, root):
        if any(digest.startswith(digits) for digest in _digests(manifest)):
            return _verified(folder)
    known = [row for row in rows() if row.name == name and row.sha256]
    for row in known:
        if row.sha256.startswith(digits):
            return _bring(row, root)
    here = [d[:8] for _, m in installed(name, root) for d in _digests(m)]
    known = sorted({*here, *(row.sha256[:8] for row in known)})
    raise InputError(f"no weights {digits} for {name}, known: {', '.join(known) or 'none'}")


def _digests(manifest):
    return [digest for file, digest in manifest.sha256.items() if file.endswith(".params")]


def _verified(folder):
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise InputError(
            f"{folder}: no {MANIFEST} in it; a released network's folder is imported with "
            "`python -m gluon_glore import`"
        )
    return described(params_of(folder, parse_manifest(folder / MANIFEST)))


def _row_of(name, url):
    """An address that the catalogue may know."""
    for row in rows():
        if url in (row.url, row.source):
            return row
    return Row(name, url, url, "not said", "not said", "none", "", None)


def _bring(row, root):
    """The entry of a row: the one here, or a download."""
    if row.packaged:
        return _verified(row.packaged)
    folder = _installed_from(row, root)
    if folder is None:
        with naming(root), _locked(root):
            folder = _installed_from(row, root)  # another process may have been first
            if folder is None:
                with _scratch(root) as temporary:
                    bring = _download_entry if row.is_entry else _download_release
                    folder = bring(row, root, temporary)
    return _verified(folder)


@contextlib.contextmanager
def _locked(root):
    root.mkdir(parents=True, exist_ok=True)
    try:
        with portalocker.Lock(root / ".lock", "a", timeout=WAIT):
            yield
    except portalocker.LockException:
        raise InputError(f"{root}: another process has held its lock for {WAIT} s") from None


@contextlib.contextmanager
def _scratch(root):
    with tempfile.TemporaryDirectory(dir=root, prefix=".bring.") as temporary:
        yield Path(temporary)


def _installed_from(row, root):
    """The entry that a row led to, None where it was never followed."""
    if not row.is_entry:
        entries = installed(row.name, root)
        return next((f for f, m in entries if m.card.source == row.source), None)
    digest = row.sha256 or _recorded(root).get(row.source)
    folder = root / f"{row.name}-{(digest or '')[:8]}"
    return folder if (folder / MANIFEST).is_file() else None


def _download_release(row, root, temporary):
    """Download and import a released file. Its digest is recorded, or must be the recorded one."""
    file = root / f".{Path(unquote(urlsplit(row.url).path)).name}"  # hidden; resumes there
    known = row.sha256 or _recorded(root).get(row.source)
    digest = download(row.url, file, sha256=known)
    try:
        card = Card(row.source, digest, row.origin, row.licence, row.claimed)
        entry = import_weights(
            file, temporary / "entry", row.name, card, row.preprocess, compare=False
        )
    finally:
        file.unlink()
    if known is None:
        _record(root, row.source, digest)
    return _install(entry, root)


def _import_file(name, path, root):
    """An archive or PyTorch file on this machine, imported once."""
    digest = sha256(path)
    for folder, manifest in installed(name, root):
        if manifest.card.source_sha256 == digest:
            return _verified(folder)
    with naming(root), _locked(root), _scratch(root) as temporary:
        card = Card(str(path), digest)
        entry = import_weights(path, temporary / "entry", name, card, compare=False)
        folder = _install(entry, root)
    return _verified(folder)


def _download_entry(row, root, temporary):
    """Download a published entry, each file under the checksum of its manifest."""
    folder = temporary / "entry"
    download(f"{row.url}/{MANIFEST}", folder / MANIFEST, limit=SMALL)
    manifest = parse_manifest(folder / MANIFEST)
    known = row.sha256 or _recorded(root).get(row.source)
    if manifest.model != row.name or known not in (None, *_digests(manifest)):
        raise InputError(
            f"{row.url}: holds {manifest.model} {_digests(manifest)}, not {row.name} {known or ''}"
        )
    for name, digest in manifest.sha256.items():
        if Path(name).name != name:
            raise InputError(f"{row.url}: a file's name has no folders, given {name!r}")
        download(f"{row.url}/{name}", folder / name, sha256=digest)
    if row.sha256 is None:
        _record(root, row.source, _digests(manifest)[0])
    return _install(folder, root)


def _install(folder, root):
    """Move an entry to its place in the root."""
    manifest = read_manifest(folder)
    place = root / f"{manifest.model}-{_digests(manifest)[0][:8]}"
    if place.exists():  # the same parameters, perhaps damaged since, or of another source
        shutil.rmtree(place)
    os.replace(folder, place)
    return place


def _recorded(root):
    """{address: sha256} of all that was ever downloaded to a root."""
    with contextlib.suppress(FileNotFoundError):
        try:
            fields = yaml.safe_load((root / SOURCES).read_text(encoding="utf-8")) or {}
            return {address: str(entry["sha256"]) for address, entry in fields.items()}
        except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError):
            raise InputError(f"{root / SOURCES}: damaged") from None
    return {}


def _record(root, address, digest):
    recorded = {}
    with contextlib.suppress(FileNotFoundError):
        recorded = yaml.safe_load((root / SOURCES).read_text(encoding="utf-8")) or {}
    recorded[address] = {"sha256": digest, "first_used": datetime.date.today().isoformat()}
    write_text(root / SOURCES, yaml.safe_dump(recorded))
