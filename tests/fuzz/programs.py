"""Programs of exported folders that fit their checksums and are damaged, as PyTorch reads them."""

import functools
import io
import tempfile
import zipfile
from pathlib import Path

import pytest

from .exports import made, run_by
from .kind import MIB, Kind
from .mutate import checksums_in, mutate_bytes, one_file
from .mutate_text import mutate_json

pytest.importorskip("torch", reason="programs are PyTorch's")

PROGRAM = "fuzzed.pt2"


@functools.cache
def folders():
    """The files of a small exported network, its program among them."""
    with tempfile.TemporaryDirectory() as place:
        folder = made(Path(place) / "out", pytorch=True)
        return [{file.name: file.read_bytes() for file in folder.iterdir()}]


def mutate_program(rng, seeds):
    """A program with changed bytes, or packed anew with one record changed, often its JSON."""
    if rng.random() < 0.2:
        return mutate_bytes(rng, seeds)
    with zipfile.ZipFile(io.BytesIO(rng.choice(seeds))) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    graphs = [name for name in records if name.endswith(".json")]
    name = rng.choice(graphs if rng.random() < 0.8 else list(records))
    mutate = mutate_json if name in graphs and rng.random() < 0.8 else mutate_bytes
    records[name] = mutate(rng, [records[name]])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in records.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return file.getvalue()


ROWS = {
    "program": Kind(
        folders,
        one_file({PROGRAM: mutate_program}, checksums_in("manifest.yaml", (PROGRAM,))),
        functools.partial(run_by, "pytorch"),
        memory=1024 * MIB,
        kept=512 * MIB,
        seconds=20.0,
    )
}
