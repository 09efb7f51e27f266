"""What is known of the paper's tables: docs/paper.yaml, and the release's claims."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

from gluon_glore.model_zoo import catalogue
from gluon_glore.utils.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
PAPER = read_yaml(ROOT / "docs" / "paper.yaml")


@dataclass(frozen=True)
class Row:
    """A network of a table; None for what is not known.

    `parameters` (M) and `gflops` (multiply-adds, G) are as printed. `accuracy` (%) is claimed by
    the authors' release, or by the `makers` of a plain network. `config` is a path below the
    repository's root.
    """

    network: str
    config: str
    parameters: Optional[float]
    gflops: Optional[float]
    accuracy: Optional[float]
    makers: bool

    @property
    def plain(self) -> str:
        """Its network without units, by name."""
        return re.sub(r"_(glore|nl)(_\d+)+(?=_|$)", "", self.network)


@dataclass(frozen=True)
class Table:
    """A table of the paper; `samples` of an epoch, None where the configs say."""

    name: str
    title: str
    folder: str
    score: str
    note: str
    samples: Optional[int]
    rows: Tuple[Row, ...]


def tables():
    """Every `Table`, by name."""
    return {name: _table(name, **fields) for name, fields in PAPER["tables"].items()}


def _table(name, rows, folder, title, score, note, samples=None, claimed=True):
    """A `Table` of the fields of docs/paper.yaml."""
    known, makers = claims() if claimed else {}, PAPER["makers"]
    found = []
    for network, printed in rows.items():
        config = f"configs/{folder}/{printed.get('config', network)}.yaml"
        accuracy = known.get(network, makers.get(network, {}).get("top1"))
        by_makers = network in makers and network not in known
        sizes = (printed.get("parameters"), printed.get("gflops"))
        found.append(Row(network, config, *sizes, accuracy, by_makers))
    return Table(name, title, folder, score, note, samples, tuple(found))


def claims():
    """Accuracies in per cent that the authors' release claims, by network."""
    rows = catalogue.read_catalogue(catalogue.HERE / catalogue.FILE)
    found = {row.name: re.search(r"([\d.]+) %", row.claimed) for row in rows}
    return {name: float(match[1]) for name, match in found.items() if match}
