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
from dataclasses import dataclass
from pathlib import Path
from typing import Optional
from urllib.parse import unquote, urlsplit

import portalocker
import yaml

from ..atomic import sha256, write_text
from ..errors import InputError, naming
from ..manifest import MANIFEST, Manifest, params_of, parse_manifest, read_manifest
from ..registry import get_spec
from ..zoo import list_models
from .card import Card, markdown
from .catalogue import (
    DIGEST,
    NAME,
    SMALL,
    Row,
    find_row,
    flat_yaml,
    mirror_address,
    releases,
    rows,
    shipped,
)
from .download import LIMIT, download
from .entry import CARD
from .importer import import_weights

SOURCES = "sources.yaml"
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
    return Path(os.environ.get("GLORE_HOME") or "~/.mxnet/models").expanduser()


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
    if not isinstance(pretrained, (str, os.PathLike)):
        raise InputError(
            "pretrained must be True, False, an address, a path or the first 8 digits of a sha256, "
            f"given {pretrained!r}"
        )
    text = os.fspath(pretrained)
    if _URL.match(text):
        return _bring(_row_of(name, text), root)
    path = Path(text).expanduser()
    if _HASH.fullmatch(text) and not path.exists():
        return _by_hash(name, text, root)
    if path.is_dir():
        return _verified(path)
    if path.suffix == ".params" or not path.is_file():
        return described(path)
    return _import_file(name, path, root)


def described(params):
    """A parameter file, with the manifest beside it where that lists it, its checksum verified."""
    params = Path(params)
    if params.is_file() and (params.parent / MANIFEST).is_file():
        manifest = parse_manifest(params.parent / MANIFEST)
        if params.name in manifest.sha256:
            return _checked(params, manifest)
    return Found(params)


def installed(name=None, root=None):
    """The whole entries of a network (default: of all) in the root, the newest first.

    They are `(folder, manifest)`; only the manifests are looked at.
    """
    root = Path(root or default_root()).expanduser()
    pattern = f"{glob.escape(name)}-*" if name else "*-*"
    folders = [path for path in root.glob(pattern) if (path / MANIFEST).is_file()]
    found = []
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        with contextlib.suppress(InputError):
            manifest = parse_manifest(folder / MANIFEST)
            if name in (None, manifest.model) and manifest.card:
                found.append((folder, manifest))
    return found


def _by_name(name, root):
    flat = root / f"{name}-0000.params"
    if flat.is_file():
        return described(flat)
    row = find_row(shipped(), name)
    here = None if row else brought(name, root)
    if here:
        return _whole(here[0])
    row = row or find_row(rows(), name)
    if row is not None:
        return _bring(row, root)
    hashes = ", ".join(_digests(manifest)[0][:8] for _, manifest in installed(name, root))
    if not hashes:
        get_spec(name)  # names the closest where there is no such network
    others = f"; by path or hash only: {hashes}" if hashes else ""
    raise InputError(
        f"no weights for {name}: the catalogue has none, and there is no {flat}{others}"
    )


def brought(name, root=None):
    """The newest entry to which the catalogues led before, as (folder, manifest), or None.

    No network is needed to know it.
    """
    root = Path(root or default_root()).expanduser()
    mirror = mirror_address()
    sources = {row.source for row in releases() if row.name == name}
    digests = {
        digest
        for address, digest in _recorded(root).items()
        if address in sources or (mirror and address.startswith(f"{mirror}/"))
    }
    return next((e for e in installed(name, root) if digests & _origins(e[1])), None)


def _by_hash(name, digits, root):
    known = set()
    for folder, manifest in installed(root=root):
        for digest in _digests(manifest):
            if digest.startswith(digits):
                return _whole(folder)
            known |= {digest[:8]} if manifest.model == name else set()
    for row in rows():
        if row.sha256 and row.sha256.startswith(digits):
            return _bring(row, root)
        known |= {row.sha256[:8]} if row.sha256 and row.name == name else set()
    known = ", ".join(sorted(known)) or "none"
    raise InputError(f"no weights {digits} for {name}, known: {known}")


def _row_of(name, url):
    """The row of an address, one that the catalogue knows or the user's own."""
    url = re.sub(r"/[^/]+\.params$", "", url).rstrip("/")
    for row in releases():
        if url in (row.url, row.source):
            return row
    return Row(name, url, url, "not said", "not said", "none", "", None)


def _digests(manifest):
    return [digest for file, digest in manifest.sha256.items() if file.endswith(".params")]


def _origins(manifest):
    """The digests by which `sources.yaml` may know an entry."""
    return {manifest.card.source_sha256, *_digests(manifest)}


def _verified(folder):
    """The parameters of a folder with a manifest, their checksum verified."""
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise InputError(
            f"{folder}: no {MANIFEST} in it; a released network's folder is imported with "
            "`python -m gluon_glore import`"
        )
    manifest = parse_manifest(folder / MANIFEST)
    return _checked(params_of(folder, manifest), manifest)


def _checked(params, manifest):
    if not params.is_file():
        raise InputError(f"{params}: missing")
    if sha256(params) != manifest.sha256.get(params.name):
        raise InputError(f"{params}: damaged, its checksum is not the manifest's")
    return Found(params, manifest)


def _whole(folder):
    """The parameters of an entry in the root; where they are damaged, what to do about it."""
    try:
        return _verified(folder)
    except InputError as error:
        raise InputError(f"{error}; delete {folder}, the next call brings it anew") from None


def _bring(row, root):
    """The entry of a row: the one here, or a download."""
    if row.packaged:
        return _verified(row.packaged)
    folder = _installed_from(row, root)
    if folder is None:
        with _work(root) as temporary:
            folder = _installed_from(row, root)  # another process may have been first
            if folder is None:
                bring = _download_entry if row.is_entry else _download_release
                folder = bring(row, root, temporary)
    return _whole(folder)


@contextlib.contextmanager
def _work(root):
    """An empty folder in the root, for one process at a time."""
    temporary = root / ".bring"
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


def _installed_from(row, root):
    """The entry that a row led to, None where it was never followed."""
    digest = row.sha256 or _recorded(root).get(row.source)
    for folder, manifest in installed(root=root):
        if manifest.card.source == row.source or digest in _origins(manifest):
            return folder
    return None


def _import_name(name):
    """What to import a file as. None: what it is, 2-D networks' weights go into 3-D ones too."""
    return None if name in list_models() and get_spec(name).ndim == 3 else name


def _download_release(row, root, temporary):
    """Download and import a released file."""
    get_spec(row.name)  # before hundreds of megabytes come for no network
    name = Path(unquote(urlsplit(row.url).path)).name
    file = root / f".{re.sub('[^A-Za-z0-9_.-]', '_', name)}"  # hidden; a later call goes on there
    digest = download(row.url, file)
    try:
        _refuse_change(row, digest, root)
        card = Card(row.source, digest, row.origin, row.licence, row.claimed)
        entry = import_weights(
            file, temporary / "entry", _import_name(row.name), card, row.preprocess, compare=False
        )
    finally:
        file.unlink()
    _record(root, row.source, digest)
    return _install(entry, root)


def _import_file(name, path, root):
    """An archive or PyTorch file on this machine, imported once."""
    digest = sha256(path)
    folder = _imported_from(digest, root)
    if folder is None:
        with _work(root) as temporary:
            folder = _imported_from(digest, root)  # another process may have been first
            if folder is None:
                card = Card(str(path), digest)
                entry = import_weights(
                    path, temporary / "entry", _import_name(name), card, compare=False
                )
                folder = _install(entry, root)
    return _whole(folder)


def _imported_from(digest, root):
    entries = installed(root=root)
    return next((folder for folder, m in entries if m.card.source_sha256 == digest), None)


def _download_entry(row, root, temporary):
    """Download a published entry, each file under the checksum of its manifest."""
    folder = temporary / "entry"
    url = f"{row.url}/{MANIFEST}"
    download(url, folder / MANIFEST, limit=SMALL)
    manifest = _read_strangers(folder / MANIFEST, url)
    if _import_name(row.name) not in (None, manifest.model):
        raise InputError(f"{row.url}: weights of {manifest.model}, not of {row.name}")
    (digest,) = _digests(manifest)
    _refuse_change(row, digest, root)
    left = LIMIT
    for name, checksum in manifest.sha256.items():
        file = root / f".{checksum[:8]}-{name}"  # hidden; a later call goes on there
        download(f"{row.url}/{name}", file, sha256=checksum, limit=left)
        left -= file.stat().st_size
        os.replace(file, folder / name)
    write_text(folder / CARD, markdown(manifest))  # no checksum vouches for one that is there
    _record(root, row.source, digest)
    return _install(folder, root)


def _read_strangers(file, url):
    """A manifest that was downloaded: its names will be those of files and folders here."""
    try:
        flat_yaml(file, aliases=False)  # they make gigabytes of few bytes; none are written here
        manifest = parse_manifest(file)
        names = [manifest.model, *manifest.sha256]
        plain = all(map(NAME.fullmatch, names)) and MANIFEST not in names
        if not (plain and all(map(DIGEST.fullmatch, manifest.sha256.values()))):
            raise ValueError("no names of files in one folder, or no digests")
        if len(_digests(manifest)) != 1 or manifest.card is None:
            raise ValueError("no zoo entry's")
        return manifest
    except (yaml.YAMLError, TypeError, ValueError):
        raise InputError(f"{url}: damaged manifest") from None


def _refuse_change(row, digest, root):
    """Refuse what is not as the catalogue says, or not as it was at this address before."""
    recorded = _recorded(root).get(row.source)
    for wanted, where in ((row.sha256, "the catalogue"), (recorded, root / SOURCES)):
        if wanted not in (None, digest):
            raise InputError(
                f"{row.url}: has changed, its sha256 is {digest}, {where} has {wanted}"
            )


def _install(folder, root):
    """Move an entry to its place in the root."""
    manifest = read_manifest(folder)
    place = root / f"{manifest.model}-{_digests(manifest)[0][:8]}"
    if place.exists():  # the same parameters, damaged since, or of another source
        os.replace(place, root / ".bring" / "old")
    os.replace(folder, place)
    return place


def _recorded(root):
    """{address: sha256} of all that was ever downloaded to a root."""
    return {address: entry["sha256"] for address, entry in _read_sources(root).items()}


def _record(root, address, digest):
    sources = _read_sources(root)
    first = {"sha256": digest, "first_used": datetime.date.today().isoformat()}
    if sources.setdefault(address, first) is first:
        write_text(root / SOURCES, yaml.safe_dump(sources))


def _read_sources(root):
    file = root / SOURCES
    try:
        with naming(root):
            sources = yaml.safe_load(file.read_text(encoding="utf-8") if file.exists() else "{}")
        if all(DIGEST.fullmatch(entry["sha256"]) for entry in sources.values()):
            return sources
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError):
        pass
    raise InputError(f"{file}: damaged; without it, the next downloads are recorded anew")
