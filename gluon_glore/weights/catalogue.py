"""Which weights are to be had, and where: `catalogue.yaml`, here and on mirrors.

`zoo/` has the entries that come with the package, and is what `publish` writes: folders and a
catalogue of them. $GLORE_MIRROR is an address, https, http or file, of such a folder, or of one
that has the released files under the same paths as the authors' server, or both.
"""

import dataclasses
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import yaml

from ..atomic import write_text
from ..errors import InputError
from ..image import Preprocess

FILE = "catalogue.yaml"
HERE = Path(__file__).parent
SHIPPED = HERE / "zoo"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_PATH = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)*")


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
        return not self.url.endswith((".tar", ".pth", ".tar.gz", ".tgz"))


def read_catalogue(path, base="", mirror=""):
    """The rows of a catalogue file, a list.

    `base` is put before paths of releases that name none; `mirror` is where to download instead.
    Raises InputError where the file is damaged.
    """
    try:
        releases = yaml.safe_load(Path(path).read_text(encoding="utf-8"))["releases"]
        return [row for release in releases for row in _rows(release, base, mirror)]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, ValueError, AttributeError):
        raise InputError(f"{path}: damaged catalogue") from None


def _rows(release, base, mirror):
    for name, file in release["files"].items():
        if not (_NAME.fullmatch(name) and _PATH.fullmatch(file["path"])):
            raise ValueError(name)
        place = release.get("base", base)
        source = _join(place, file["path"])
        yield Row(
            name,
            _join(mirror, file["path"]) if mirror else source,
            source,
            str(release["origin"]),
            str(release["licence"]),
            str(release["claimed"]).replace("{}", str(file.get("figure", ""))),
            str(release["checked"]),
            Preprocess(**{k: _tuple(v) for k, v in release["input"].items()}),
            file.get("sha256"),
        )


def _tuple(value):
    return tuple(value) if isinstance(value, list) else value


def _join(base, path):
    return f"{base.rstrip('/')}/{path}"


def mirror_address():
    """$GLORE_MIRROR, or "". Raises InputError where it is no address."""
    mirror = os.environ.get("GLORE_MIRROR", "")
    if mirror and not re.match(r"(https?|file)://", mirror):
        raise InputError(f"GLORE_MIRROR must begin with https://, http:// or file://: {mirror!r}")
    return mirror


def catalogue():
    """This package's rows: what it ships, and the releases, at $GLORE_MIRROR where that is set."""
    shipped = read_catalogue(SHIPPED / FILE, base=str(SHIPPED))
    return [*shipped, *read_catalogue(HERE / FILE, mirror=mirror_address())]


def find_row(rows, name) -> Optional[Row]:
    """The first row of a name."""
    return next((row for row in rows if row.name == name), None)


def add_to_catalogue(folder, name, path, manifest, sha256):
    """Add a zoo entry below `folder` to the catalogue there, in the place of an older one."""
    file = Path(folder) / FILE
    releases = []
    if file.is_file():
        read_catalogue(file)  # refuses what is damaged
        releases = yaml.safe_load(file.read_text(encoding="utf-8"))["releases"]
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
    releases = [release, *(r for r in releases if name not in r["files"])]
    write_text(file, yaml.safe_dump({"releases": releases}, sort_keys=False))
