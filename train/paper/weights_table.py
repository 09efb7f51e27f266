"""Write README's table of the weights that work now, from the entries in the package.

    python -m train.paper.weights_table

The table stands between `<!-- weights -->` and `<!-- /weights -->`. Every figure is an entry's own:
what `publish` measured of the weights as saved, and the bytes of its folder.
"""

import re
import sys
from pathlib import Path

from gluon_glore.model_zoo.catalogue import releases, shipped
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.files import read_text, write_text
from gluon_glore.weights.card import in_percent
from gluon_glore.weights.manifest import MANIFEST, labels_pixels, parse_manifest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"(<!-- weights -->\n).*?(<!-- /weights -->)", re.S)
NAMED = 3  # classes that a cell names


def table() -> str:
    """The table, in Markdown: a row an entry, the last one the releases that were never reached."""
    lines = [
        "| network | tells apart | weights | measured on what it never saw | size |",
        "|---|---|---|---|---:|",
        *map(_row, shipped()),
        f"| {len(releases())} of the authors' ([list](docs/weights.md)) | 1000, 400, 19 classes "
        "| their address was never reached here; a file or a mirror | – | – |",
    ]
    return "".join(f"{line}\n" for line in lines)


def _row(row):
    """The line of an entry in the package."""
    manifest = parse_manifest(row.packaged / MANIFEST)
    size = sum(path.stat().st_size for path in row.packaged.iterdir())
    cells = (
        f"`{row.name}`",
        _classes(manifest),
        "in the package",
        _measured(manifest.card.measured),
        f"{size / 1e6:.2f} MB",
    )
    return f"| {' | '.join(cells)} |"


def _classes(manifest):
    """What a network tells apart: so many classes, of pictures, pixels or videos."""
    names = manifest.class_names
    of = "pixels" if labels_pixels(manifest) else "videos" if manifest.clip else "pictures"
    some = ", ".join(names if len(names) <= NAMED else (*names[:NAMED], "..."))
    return f"{of}, {len(names)} classes: {some}"


def _measured(measured):
    """An entry's score and on how many samples."""
    if "miou" in measured:
        return f"mean IoU {in_percent(measured['miou'])}, {measured['samples']} scenes"
    of = "videos" if "clips" in measured else "pictures"
    return f"top-1 {in_percent(measured['top1'])}, {measured['samples']} {of}"


def fill(text) -> str:
    """A page's text with the table put in its place. Raises InputError where it has none."""
    if not BLOCK.search(text):
        raise InputError("no <!-- weights --> and <!-- /weights --> in the page")
    return BLOCK.sub(lambda block: f"{block[1]}{table()}{block[2]}", text)


def main():
    """`python -m train.paper.weights_table`: fill README's table."""
    return exit_code(lambda: write_text(README, fill(read_text(README))))


if __name__ == "__main__":
    sys.exit(main())
