"""Catalogues: which weights can be downloaded and from where, `catalogue.yaml` here and on mirrors.

`entries/` has the entries that come with the package: folders and a catalogue of them, as `publish`
writes them. $GLORE_MIRROR is an address, https, http or file, of such a folder, or of one
that has the released files under the same paths as the authors' server, or both.
"""

import dataclasses
import itertools
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional
from urllib.parse import urlsplit

import yaml

from ..data.image import Preprocess
from ..utils.errors import InputError
from ..utils.files import read_text, write_text
from ..utils.yaml_file import parse_yaml, read_yaml
from .download import download
from .partial_file import Cut

FILE = "catalogue.yaml"
HERE = Path(__file__).parent
SHIPPED = HERE / "entries"  # come with the package
SMALL = 2**20  # bytes; catalogues and manifests
MOST = 10_000  # rows of a catalogue
NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}")
_PATH = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*", re.ASCII)
_RELEASED = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".pth", ".pt", ".safetensors")


@dataclass(frozen=True)
class Row:
    """Weights of the network `name`: a released file at `url`, or a zoo entry's folder there.

    `source` is the address that `url` mirrors. `sha256` is of the released file, or of the entry's
    parameters; None where the release gives none.
    """

    name: str
    url: str
    source: str
    origin: str
    licence: str
    claimed: str
    checked: str
    preprocess: Optional[Preprocess] = None
    sha256: Optional[str] = None

    @property
    def packaged(self) -> Optional[Path]:
        """The folder of an entry that comes with the package, None for all others."""
        return Path(self.url) if not re.match(r"\w+://", self.url) else None

    @property
    def is_entry(self) -> bool:
        """Whether the address is a zoo entry's, not a released file's that has to be imported."""
        return not urlsplit(self.url).path.endswith(_RELEASED)


def rows():
    """All rows, those to be preferred first: what is shipped, the mirror's own, the releases.

    The mirror is asked when its turn comes, and need not have a catalogue. Raises InputError where
    it can't be reached or its catalogue is damaged.
    """
    yield from shipped()
    yield from _mirrored()
    yield from releases()


def shipped():
    """The rows that come with the package, a list."""
    return read_catalogue(SHIPPED / FILE, base=str(SHIPPED))


def releases():
    """The rows of the released files, a list; to download from $GLORE_MIRROR where that is set."""
    return read_catalogue(HERE / FILE, mirror=mirror_address())


def catalogued(path, name) -> Optional[Row]:
    """The release's row of a file so called, with the network `name`; None where it has none.

    Folders have no row: many are called as a network, whoever trained it.
    """
    named = (row for row in releases() if row.name == name and path.is_file())
    return next((row for row in named if row.source.endswith(f"/{path.name}")), None)


def _mirrored():
    """The rows of the mirror's own catalogue, a list; empty where there is none."""
    mirror = mirror_address()
    if not mirror:
        return []
    url = _join(mirror, FILE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / FILE
        try:
            download(url, file, limit=SMALL, timeout=10.0, attempts=2)
        except Cut:
            raise
        except InputError:  # 404, 403 or a web page: it has no catalogue
            return []
        return read_catalogue(file, base=mirror, mirror=mirror, title=url)


def mirror_address():
    """$GLORE_MIRROR, or "". Raises InputError where it is no address."""
    mirror = os.environ.get("GLORE_MIRROR", "").rstrip("/")
    if mirror and not re.match(r"(https?|file)://", mirror):
        raise InputError(f"GLORE_MIRROR must begin with https://, http:// or file://: {mirror!r}")
    return mirror


def find_row(rows, name) -> Optional[Row]:
    """The first row of a name."""
    return next((row for row in rows if row.name == name), None)


def read_catalogue(path, base="", mirror="", title=None):
    """The rows of a catalogue file, a list.

    `base` is put before the paths of releases that have no base of their own. `mirror` is the
    address to download from instead, `title` what messages call the file. Raises InputError where
    it is damaged.
    """
    text = read_text(path)
    try:
        releases = parse_yaml(text)["releases"]
        found = (row for release in releases for row in _rows(release, base, mirror))
        rows = list(itertools.islice(found, MOST + 1))  # aliases make many of few bytes
        if len(rows) > MOST:
            raise ValueError(f"more than {MOST} rows")
        return rows
    except (LookupError, TypeError, ValueError, AttributeError):
        raise InputError(f"{title or path}: damaged catalogue") from None


def _rows(release, base, mirror):
    """The rows of one release of a catalogue: files of one origin, licence and preparation."""
    place = _plain(release.get("base", base))
    fields = [_plain(release[key]) for key in ("origin", "licence", "claimed", "checked")]
    origin, licence, claimed, checked = fields
    preprocess = Preprocess(**{key: _numbers(v) for key, v in release["input"].items()})
    for name, file in release["files"].items():
        digest = file.get("sha256")
        if not (NAME.fullmatch(name) and _PATH.fullmatch(file["path"])):
            raise ValueError(name)
        if not (digest is None or DIGEST.fullmatch(digest)):
            raise ValueError(digest)
        source = _join(place, file["path"])
        yield Row(
            name,
            _join(mirror, file["path"]) if mirror else source,
            source,
            origin,
            licence,
            claimed.replace("{}", _plain(file.get("figure", ""))),
            checked,
            preprocess,
            digest,
        )


def _plain(value):
    """A word or number as text in one line: of aliases to lists, str() would make gigabytes."""
    if not isinstance(value, (str, int, float)):
        raise TypeError(type(value))
    return " ".join(str(value).split())


def _numbers(value):
    """A number, or a tuple of a list of numbers. Raises TypeError for anything else."""
    if not all(
        isinstance(v, (int, float)) for v in (value if isinstance(value, list) else [value])
    ):
        raise TypeError(type(value))
    return tuple(value) if isinstance(value, list) else value


def _join(base, path):
    return f"{base.rstrip('/')}/{path}"


def add_to_catalogue(folder, name, path, manifest, sha256):
    """Add a zoo entry below `folder` to the catalogue there, in the place of an older one."""
    file = Path(folder) / FILE
    releases = []
    if file.is_file():
        read_catalogue(file)  # refuses what is damaged
        releases = read_yaml(file)["releases"]
    card = manifest.card
    release = {
        "origin": card.origin,
        "licence": card.licence,
        "claimed": card.claimed,
        "checked": f"golden numbers; {card.measured_text}",
        "input": {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(manifest.preprocess).items()
        },
        "files": {name: {"path": path, "sha256": sha256}},
    }
    for older in releases:
        older["files"].pop(name, None)
    releases = [release, *(older for older in releases if older["files"])]
    write_text(file, yaml.safe_dump({"releases": releases}, sort_keys=False))
