"""Weights brought into the root: downloaded or imported, by one process at a time.

A released file that changes at its address is refused, and so is what a stranger's entry says of
files outside its own folder.
"""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..atomic import sha256, write_text
from ..errors import InputError
from ..manifest import MANIFEST, parse_manifest, read_manifest
from ..registry import get_spec
from ..zoo import list_models
from .card import Card, markdown
from .catalogue import DIGEST, NAME, SMALL
from .download import LIMIT, download
from .entry import CARD
from .importer import import_weights
from .root import SOURCES, digests, installed, origins, record, recorded, verified, whole, work


def bring(row, root):
    """The entry of a row: the one here, or a download."""
    if row.packaged:
        return verified(row.packaged)
    folder = _installed_from(row, root)
    if folder is None:
        with work(root) as temporary:
            folder = _installed_from(row, root)  # another process may have been first
            if folder is None:
                fetch = _download_entry if row.is_entry else _download_release
                folder = fetch(row, root, temporary)
    return whole(folder)


def _installed_from(row, root):
    """The entry that a row led to, None where it was never followed."""
    digest = row.sha256 or recorded(root).get(row.source)
    for folder, manifest in installed(root=root):
        if manifest.card.source == row.source or digest in origins(manifest):
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
    record(root, row.source, digest)
    return _install(entry, root)


def import_file(name, path, root):
    """An archive or PyTorch file on this machine, imported once."""
    digest = sha256(path)
    folder = _imported_from(digest, root)
    if folder is None:
        with work(root) as temporary:
            folder = _imported_from(digest, root)  # another process may have been first
            if folder is None:
                card = Card(str(path), digest)
                entry = import_weights(
                    path, temporary / "entry", _import_name(name), card, compare=False
                )
                folder = _install(entry, root)
    return whole(folder)


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
    (digest,) = digests(manifest)
    _refuse_change(row, digest, root)
    left = LIMIT
    for name, checksum in manifest.sha256.items():
        file = root / f".{checksum[:8]}-{name}"  # hidden; a later call goes on there
        download(f"{row.url}/{name}", file, sha256=checksum, limit=left)
        left -= file.stat().st_size
        os.replace(file, folder / name)
    write_text(folder / CARD, markdown(manifest))  # no checksum vouches for one that is there
    record(root, row.source, digest)
    return _install(folder, root)


def _read_strangers(file, url):
    """A manifest that was downloaded: its names will be those of files and folders here."""
    try:
        manifest = parse_manifest(file)
        names = [manifest.model, *manifest.sha256]
        plain = all(map(NAME.fullmatch, names)) and MANIFEST not in names
        if not (plain and all(map(DIGEST.fullmatch, manifest.sha256.values()))):
            raise ValueError("no names of files in one folder, or no digests")
        if len(digests(manifest)) != 1 or manifest.card is None:
            raise ValueError("no zoo entry's")
        return manifest
    except (TypeError, ValueError):
        raise InputError(f"{url}: damaged manifest") from None


def _refuse_change(row, digest, root):
    """Refuse what is not as the catalogue says, or not as it was at this address before."""
    first = recorded(root).get(row.source)
    for wanted, where in ((row.sha256, "the catalogue"), (first, root / SOURCES)):
        if wanted not in (None, digest):
            raise InputError(
                f"{row.url}: has changed, its sha256 is {digest}, {where} has {wanted}"
            )


def _install(folder, root):
    """Move an entry to its place in the root."""
    manifest = read_manifest(folder)
    place = root / f"{manifest.model}-{digests(manifest)[0][:8]}"
    if place.exists():  # the same parameters, damaged since, or of another source
        os.replace(place, root / ".bring" / "old")
    os.replace(folder, place)
    return place
