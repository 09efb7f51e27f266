"""Networks as text: stages aligned, a Markdown table of sizes, and whose weights there are."""

import fnmatch
import re

from ..model_zoo.cache import default_root, installed
from ..model_zoo.catalogue import find_row, releases, rows, shipped
from ..model_zoo.find_weights import cached
from ..networks.paper import get_spec, list_models
from ..plan.complexity import StageCount, count_spec, totals
from ..utils.errors import InputError


def format_size(size):
    """Pixels as text: "224x224", "8x224x224"."""
    return "x".join(map(str, size))


def stages_table(rows):
    """Lines of text for the rows of `plan.complexity.by_stage`, the network's sum the last one.

    Where there are extra units, what they have of each row, and that as a share of the network's
    multiply-adds.
    """
    network = StageCount("network", *map(sum, zip(*(row[1:] for row in rows))))
    parameters, macs = _column(network.parameters), _column(network.macs)
    extra = "  of which extra units (% of all multiply-adds)" if network.extra_macs else ""
    lines = [f"{'':9}{'parameters':>12}{'multiply-adds':>15}{extra}"]
    for row in [*rows, network]:
        line = f"{row.stage:9}{parameters(row.parameters):>12}{macs(row.macs):>15}"
        if row.extra_macs:
            share = 100 * row.extra_macs / network.macs
            line += f"{parameters(row.extra_parameters):>12}{macs(row.extra_macs):>12}"
            line += f"{share:8.1f} %"
        lines.append(line)
    return "\n".join(lines)


def _column(total):
    """A function that writes a column's figures, all in the thousands that suit its `total`."""
    sizes = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
    scale, letter = next((size for size in sizes if total >= size[0]), sizes[-1])
    return lambda value: f"{value / scale:.2f} {letter}"


def networks_table(names):
    """The named networks as Markdown: a sentence that says what is counted, and the table.

    Each is counted with the classes `get_model` gives it, at its own input size. The column paper
    has the place in the paper that the row's docstring names.
    """
    lines = [
        "Counted at batch 1, with input size and classes as in the row: the network's defaults.",
        "A multiply-add is one multiplication and one addition in a convolution, dense layer or",
        "matrix product.",
        "",
        "| network | input | classes | parameters (M) | multiply-adds (G) | units | paper |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for name in names:
        spec = get_spec(name)
        parameters, macs = totals(count_spec(spec))
        place = re.search(r"paper,\s+((?:Table|Figure|section)\s\d+(?:\.\d+)?)", spec.source)
        cells = (
            f"`{name}`",
            format_size(spec.input_size),
            str(spec.classes),
            f"{parameters / 1e6:.2f}",
            f"{macs / 1e9:.3f}",  # `tiny` has hundredths of a G
            spec.placement.replace("none", "–"),
            place[1] if place else "–",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def weights_table(pattern="*"):
    """The networks of a shell pattern, a line each: whose weights, where, how they were checked.

    Also those that are no registered ones, but that the root or the mirror has entries of. Empty
    where nothing matches; a mirror that can't be read is named in the last line.
    """
    trouble = []
    try:
        known = list(rows())
    except InputError as error:
        known = [*shipped(), *releases()]
        trouble = [f"the mirror's own weights are not listed: {error}"]
    others = {row.name for row in known if row.is_entry} | {m.model for _, m in installed()}
    names = sorted({*list_models(pattern), *fnmatch.filter(others, pattern)})
    if not names:
        return ""
    lines = [("network", "weights", "checked")]
    lines += [(name, *_weights(name, find_row(known, name))) for name in names]
    widths = [max(map(len, column)) for column in list(zip(*lines))[:2]]
    lines = [
        f"{name:{widths[0]}}  {weights:{widths[1]}}  {checked}".rstrip()
        for name, weights, checked in lines
    ]
    return "\n".join(lines + trouble)


def _weights(name, row):
    """Whose weights `pretrained=True` takes, where they are, and how they were checked."""
    flat = default_root() / f"{name}-0000.params"
    if flat.is_file():
        return f"{flat}", "not"
    if row and row.packaged:
        return f"{row.origin}, with the package", row.checked
    here = cached(name)
    if row and not here:
        return f"{row.origin}, to download", row.checked
    by_hash = next(iter(installed(name)), None)
    if not (here or by_hash):
        return "none", ""
    folder, manifest = here or by_hash
    card = manifest.card
    where = f"in {folder}" if here else f"in {folder}, by path or hash only"
    return f"{card.origin}, {where}", "; ".join([*card.checked, card.measured_text])
