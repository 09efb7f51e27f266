"""The network that is taken where none is named: an entry that comes with the package."""

from ..weights.manifest import MANIFEST, parse_manifest
from .catalogue import find_row, shipped

# A network of photographs before one of digits; the first that the package has is taken. Videos are
# seen frame by frame by it: what networks of videos here tell apart is in no video of a user's.
DEFAULTS = ("cifar_resnet10_glore_0_1", "tiny_glore_0_1")
NAMED = 12  # classes that a line names, of more only how many


def default_entry():
    """(folder, `Manifest`) of the entry in the package that is taken where no network is named."""
    rows = shipped()
    folder = next(row.packaged for row in (find_row(rows, name) for name in DEFAULTS) if row)
    return folder, parse_manifest(folder / MANIFEST)


def limits_of(manifest) -> str:
    """What an entry can tell at all, in a line: its network, classes and measured accuracy."""
    names = manifest.class_names
    which = f" ({', '.join(names)})" if len(names) <= NAMED else ""
    return (
        f"{manifest.model}, which comes with the package and knows {len(names)} classes "
        f"alone{which}, whatever it is shown; {manifest.card.measured_text}"
    )
