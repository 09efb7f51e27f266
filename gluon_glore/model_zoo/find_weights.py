"""Weights by name: found on this machine, or downloaded once into its cache.

A catalogue's row leads to a published entry, whose files are downloaded, or to a released file,
which is downloaded and imported. Both become entries of the cache.
"""

import dataclasses
import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..data.pixels import HOW
from ..networks.paper import list_models
from ..networks.registry import check_name, get_spec
from ..utils.errors import InputError
from ..utils.files import sha256, write_text
from ..weights.card import Card
from ..weights.manifest import MANIFEST, parse_manifest, read_manifest
from ..weights.pytorch_file import SUFFIXES
from ..weights.safetensors_file import SUFFIX
from .cache import (
    SOURCES,
    Found,
    default_root,
    digests,
    installed,
    locked_folder,
    origins,
    record,
    recorded,
    verified,
    verified_entry,
    with_manifest,
)
from .catalogue import (
    DIGEST,
    NAME,
    SMALL,
    Row,
    catalogued,
    find_row,
    mirror_address,
    releases,
    rows,
    shipped,
)
from .download import LIMIT, download
from .reach import Unreachable
from .readme import CARD, readme

_HASH = re.compile(r"[0-9a-f]{8,64}")
_URL = re.compile(r"\w+://")


def find_weights(name, pretrained=True, root=None, preprocess=None) -> Found:
    """The weights of the network `name`, verified; downloaded where they are not here yet.

    `pretrained` is True (what the catalogue has), the first 8 or more digits of the parameters'
    sha256, an address (https, http, file), or a path: of a parameter file of MXNet's, safetensors'
    or PyTorch's, of a zoo entry, export or checkpoint, or of a released archive. Files that the
    catalogue has not, and parameter files of a network that is not registered, are imported with
    `preprocess`, a `Preprocess` or `Pixels`; without, a file of PyTorch's is read as it is. Of
    several processes one downloads, the others wait. Raises InputError where there are none, they
    are damaged or changed, or no server answers within seconds.
    """
    try:
        return _find(name, pretrained, Path(root or default_root()).expanduser(), preprocess)
    except Unreachable as error:
        raise InputError(
            f"{error}; give a local file (--weights FILE, in Python pretrained=FILE), or the "
            "address of a mirror in $GLORE_MIRROR"
        ) from None


def _find(name, pretrained, root, preprocess):
    """What `find_weights` returns. Raises Unreachable where a server does not answer."""
    check_name(name)
    if pretrained is True:
        return _by_name(name, root)
    if not isinstance(pretrained, (str, os.PathLike)):
        raise InputError(
            "pretrained must be True, False, an address, a path or the first 8 digits of a sha256, "
            f"given {pretrained!r}"
        )
    text = os.fspath(pretrained)
    if _URL.match(text):
        row = _row_of(name, text)
        return _fetch(dataclasses.replace(row, preprocess=row.preprocess or preprocess), root)
    path = Path(text).expanduser()
    if _HASH.fullmatch(text) and not path.exists():
        return _by_hash(name, text, root)
    if path.is_dir():
        return verified(path)
    direct = path.suffix in (".params", SUFFIX)
    if path.suffix in SUFFIXES and preprocess is None:  # an entry needs pixels
        direct = catalogued(path, name) is None
    if direct or not path.is_file():
        found = with_manifest(path)
        # What is not registered is read off the file, or a symbol beside it.
        if found.manifest or name in list_models() or not path.is_file():
            return found
    return _import_file(name, path, root, preprocess)


def to_download(name, pretrained=True, root=None) -> bool:
    """Whether `find_weights` would ask a server for these weights.

    Raises InputError where the catalogue or the record of what came is damaged.
    """
    root = Path(root or default_root()).expanduser()
    if pretrained is True:
        flat = root / f"{name}-0000.params"
        return not (flat.is_file() or find_row(shipped(), name) or cached(name, root))
    text = os.fspath(pretrained)
    if _URL.match(text):
        return _installed_from(_row_of(name, text), root) is None
    if not _HASH.fullmatch(text) or Path(text).expanduser().exists():
        return False
    here = [digest for _, manifest in installed(root=root) for digest in digests(manifest)]
    return not any(d.startswith(text) for d in [*here, *(row.sha256 for row in shipped())])


def cached(name, root=None):
    """The newest entry that came through a catalogue before, as (folder, manifest), or None.

    `root` is that of the cache. Nothing is asked over the network.
    """
    root = Path(root or default_root()).expanduser()
    mirror = mirror_address()
    sources = {row.source for row in releases() if row.name == name}
    followed = {
        digest
        for address, digest in recorded(root).items()
        if address in sources or (mirror and address.startswith(f"{mirror}/"))
    }
    return next((e for e in installed(name, root) if followed & origins(e[1])), None)


def _by_name(name, root):
    """The weights that `pretrained=True` means. Raises InputError where there are none."""
    flat = root / f"{name}-0000.params"
    if flat.is_file():
        return with_manifest(flat)
    row = find_row(shipped(), name)
    here = None if row else cached(name, root)
    if here:
        return verified_entry(here[0])
    row = row or find_row(rows(), name)
    if row is not None:
        return _fetch(row, root)
    hashes = ", ".join(digests(manifest)[0][:8] for _, manifest in installed(name, root))
    if not hashes:
        get_spec(name)  # names the closest where there is no such network
    others = f"; by path or hash only: {hashes}" if hashes else ""
    raise InputError(
        f"no weights for {name}: the catalogue has none, and there is no {flat}{others}"
    )


def _by_hash(name, digits, root):
    """The weights whose sha256 begins with `digits`. Raises InputError where there are none."""
    known = set()
    for folder, manifest in installed(root=root):
        for digest in digests(manifest):
            if digest.startswith(digits):
                return verified_entry(folder)
            known |= {digest[:8]} if manifest.model == name else set()
    for row in rows():
        if row.sha256 and row.sha256.startswith(digits):
            return _fetch(row, root)
        known |= {row.sha256[:8]} if row.sha256 and row.name == name else set()
    known = ", ".join(sorted(known)) or "none"
    raise InputError(f"no weights {digits} for {name}, known: {known}")


def _row_of(name, url):
    """The catalogue's row of an address, or one made for an address that it does not have."""
    url = re.sub(r"/[^/]+\.params$", "", url).rstrip("/")
    for row in releases():
        if url in (row.url, row.source):
            return row
    return Row(name, url, url, "not said", "not said", "none", "", None)


def _fetch(row, root):
    """The weights of a catalogue's row: those here, else downloaded."""
    if row.packaged:
        return verified(row.packaged)
    folder = _installed_from(row, root)
    if folder is None:
        with locked_folder(root) as temporary:
            folder = _installed_from(row, root)  # another process may have been first
            if folder is None:
                download_row = _download_entry if row.is_entry else _download_release
                folder = download_row(row, root, temporary)
    return verified_entry(folder)


def _installed_from(row, root):
    """The folder of the entry that came from a row's address, None where none has."""
    digest = row.sha256 or recorded(root).get(row.source)
    for folder, manifest in installed(root=root):
        if manifest.card.source == row.source or digest in origins(manifest):
            return folder
    return None


def _import_name(name):
    """The name under which to import a file that is to fill the network `name`.

    None for a 3-D network: the file may be of a 2-D one, and names itself.
    """
    return None if name in list_models() and get_spec(name).ndim == 3 else name


def _download_release(row, root, temporary):
    """Download a released file and import it; returns the folder of its entry in the root."""
    # Refused before hundreds of megabytes come.
    get_spec(row.name)
    if row.preprocess is None:
        raise InputError(f"{row.url}: the catalogue does not have it, so say its pixels: {HOW}")
    name = Path(unquote(urlsplit(row.url).path)).name
    file = root / f".{re.sub('[^A-Za-z0-9_.-]', '_', name)}"  # hidden; a later call goes on there
    digest = download(row.url, file)
    try:
        _refuse_change(row, digest, root)
        card = Card(row.source, digest, row.origin, row.licence, row.claimed)
        from .import_weights import import_weights  # readers that most calls have no use for

        entry = import_weights(
            file, temporary / "entry", _import_name(row.name), card, row.preprocess, compare=False
        )
    finally:
        file.unlink()
    record(root, row.source, digest)
    return _install(entry, root)


def _import_file(name, path, root, preprocess):
    """The weights of an archive or PyTorch file on this machine, imported once."""
    digest = sha256(path)
    folder = _imported_from(digest, root)
    if folder is None:
        with locked_folder(root) as temporary:
            folder = _imported_from(digest, root)  # another process may have been first
            if folder is None:
                from .import_weights import import_weights

                card = Card(str(path), digest)
                entry = import_weights(
                    path, temporary / "entry", _import_name(name), card, preprocess, compare=False
                )
                folder = _install(entry, root)
    return verified_entry(folder)


def _imported_from(digest, root):
    """The folder of the entry imported from a file of this sha256, None where there is none."""
    entries = installed(root=root)
    return next((folder for folder, m in entries if m.card.source_sha256 == digest), None)


def _download_entry(row, root, temporary):
    """Download a published entry, each file checked by the manifest; returns its folder."""
    folder = temporary / "entry"
    url = f"{row.url}/{MANIFEST}"
    download(url, folder / MANIFEST, limit=SMALL)
    manifest = _read_downloaded(folder / MANIFEST, url)
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
    write_text(folder / CARD, readme(manifest))  # no checksum vouches for theirs
    record(root, row.source, digest)
    return _install(folder, root)


def _read_downloaded(file, url):
    """The manifest in a file that came from `url`.

    Its names will be those of files and folders here: raises InputError where they can't be.
    """
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
    """Raise InputError where a digest is not the catalogue's, or not the address's first one."""
    first = recorded(root).get(row.source)
    for wanted, where in ((row.sha256, "the catalogue"), (first, root / SOURCES)):
        if wanted not in (None, digest):
            raise InputError(
                f"{row.url}: has changed, its sha256 is {digest}, {where} has {wanted}"
            )


def _install(folder, root):
    """Move an entry to its place in the root, and return that."""
    manifest = read_manifest(folder)
    place = root / f"{manifest.model}-{digests(manifest)[0][:8]}"
    if place.exists():  # the same parameters, damaged since, or of another source
        os.replace(place, folder.with_name("old"))  # in the folder of `locked_folder`
    os.replace(folder, place)
    return place
