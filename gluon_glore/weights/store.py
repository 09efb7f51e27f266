"""Weights by name: found on this machine, or brought here once."""

import os
import re
from pathlib import Path

from ..errors import InputError
from ..registry import check_name, get_spec
from .bring import bring, import_file
from .catalogue import Row, find_row, mirror_address, releases, rows, shipped
from .root import (
    Found,
    default_root,
    described,
    digests,
    installed,
    origins,
    recorded,
    verified,
    whole,
)

_HASH = re.compile(r"[0-9a-f]{8,64}")
_URL = re.compile(r"\w+://")


def find_weights(name, pretrained=True, root=None) -> Found:
    """The weights of the network `name`, verified; downloaded where they are not here yet.

    `pretrained` is True (what the catalogue has), the first 8 or more digits of the parameters'
    sha256, an address (https, http, file), or a path: of a parameter file, of a zoo entry, export
    or checkpoint, or of a released archive or PyTorch file. Of several processes one downloads, the
    others wait. Raises InputError where there are none, or they are damaged or changed.
    """
    root = Path(root or default_root()).expanduser()
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
        return bring(_row_of(name, text), root)
    path = Path(text).expanduser()
    if _HASH.fullmatch(text) and not path.exists():
        return _by_hash(name, text, root)
    if path.is_dir():
        return verified(path)
    if path.suffix == ".params" or not path.is_file():
        return described(path)
    return import_file(name, path, root)


def _by_name(name, root):
    flat = root / f"{name}-0000.params"
    if flat.is_file():
        return described(flat)
    row = find_row(shipped(), name)
    here = None if row else brought(name, root)
    if here:
        return whole(here[0])
    row = row or find_row(rows(), name)
    if row is not None:
        return bring(row, root)
    hashes = ", ".join(digests(manifest)[0][:8] for _, manifest in installed(name, root))
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
    followed = {
        digest
        for address, digest in recorded(root).items()
        if address in sources or (mirror and address.startswith(f"{mirror}/"))
    }
    return next((e for e in installed(name, root) if followed & origins(e[1])), None)


def _by_hash(name, digits, root):
    known = set()
    for folder, manifest in installed(root=root):
        for digest in digests(manifest):
            if digest.startswith(digits):
                return whole(folder)
            known |= {digest[:8]} if manifest.model == name else set()
    for row in rows():
        if row.sha256 and row.sha256.startswith(digits):
            return bring(row, root)
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
