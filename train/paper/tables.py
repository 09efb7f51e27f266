"""The paper's tables as printed (docs/paper.yaml), and what the release's README claims."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple

from gluon_glore.model_zoo import catalogue
from gluon_glore.utils.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
PAPER = read_yaml(ROOT / "docs" / "paper.yaml")


@dataclass(frozen=True)
class Row:
    """A network of a table; None for what is not printed in our copy of the paper.

    `parameters` (M), `gflops` (multiply-adds, G) and `scores` (%, as the table's) are as printed;
    the scores of a `derived` row follow from the `gain` that others are printed with. `claimed` (%)
    is the release's README's, `log` where the release's log ends. `config` is a path below the
    repository's root.
    """

    network: str
    config: str
    parameters: Optional[float]
    gflops: Optional[float]
    scores: Tuple[Optional[float], ...]
    derived: bool
    gain: Optional[float]
    claimed: Optional[float]
    log: Optional[float]

    @property
    def plain(self) -> str:
        """Its network without units, by name."""
        return re.sub(r"_(glore|nl)(_\d+)+(_g\d+)?(?=_|$)", "", self.network)


@dataclass(frozen=True)
class Table:
    """A table of the paper; `samples` of an epoch, None where the configs say.

    `scores` names its columns, `claimed` the one that the release's README has too, "" for none.
    `others` are other authors' networks, with a score a column.
    """

    name: str
    title: str
    folder: str
    scores: Tuple[str, ...]
    claimed: str
    note: str
    samples: Optional[int]
    rows: Tuple[Row, ...]
    others: Dict[str, Tuple[Optional[float], ...]]


def tables():
    """Every `Table`, by name."""
    return _tables("tables")


def sections():
    """What the paper's text names and no table has, by section, a `Table` each."""
    return _tables("sections")


def _tables(key):
    return {name: _table(name, **fields) for name, fields in PAPER[key].items()}


def _table(name, rows, scores, *, folder, title, note, samples=None, claimed="", others=None):
    """A `Table` of the fields of docs/paper.yaml."""
    known = claims() if claimed else {}
    found = []
    for network, printed in rows.items():
        found.append(
            Row(
                network,
                f"configs/{folder}/{printed.get('config', network)}.yaml",
                printed.get("parameters"),
                printed.get("gflops"),
                tuple(printed.get("scores", [None] * len(scores))),
                printed.get("derived", False),
                printed.get("gain"),
                known.get(network),
                printed.get("log"),
            )
        )
    others = {name: tuple(values) for name, values in (others or {}).items()}
    return Table(name, title, folder, tuple(scores), claimed, note, samples, tuple(found), others)


def claims():
    """Accuracies in per cent that the README of the authors' release gives, by network."""
    rows = catalogue.read_catalogue(catalogue.HERE / catalogue.FILE)
    found = {row.name: re.search(r"([\d.]+) %", row.claimed) for row in rows}
    return {name: float(match[1]) for name, match in found.items() if match}
