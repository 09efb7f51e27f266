"""Tables and pictures of the studies, from what `train.paper.study` wrote down.

    python -m train.paper.study_report [--report docs/study]

A table of a page stands between `<!-- study: NAME TABLE -->` and `<!-- /study -->`.
"""

import json
import math
import re
import statistics
import sys
from pathlib import Path

from gluon_glore.utils.arguments import ArgumentParser
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import InputError
from gluon_glore.utils.files import write_text

from ..reporting.curves import pyplot, save
from .studies import STUDIES

ROOT = Path(__file__).resolve().parents[2]
REPORT = ROOT / "docs" / "study"
PAGES = ("README.md", "docs/ablations.md", "docs/kinetics.md", "docs/your-network.md")
BLOCK = re.compile(r"(<!-- study: (\w+) (\w+) -->\n).*?(<!-- /study -->)", re.S)


def main():
    """Draw the pictures and fill in the pages; returns the exit code."""
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--report", type=Path, default=REPORT, help="where `train.paper.study` wrote to"
    )
    args = parser.parse_args()
    return exit_code(lambda: write(args.report))


def write(report):
    """Draw the pictures into `report` and fill in the pages. Raises InputError."""
    results = read_results(report)
    pages = {page: fill((ROOT / page).read_text(), results) for page in PAGES}
    for name, result in results.items():
        study = STUDIES[name]
        for table, ablation in study.tables.items():
            title = f"{study.question}\n{ablation.title}"
            draw(rows_of(result, ablation), title, report / f"{name}-{table}.png", study.unseen)
    for page, text in pages.items():
        write_text(ROOT / page, text)


def read_results(report=REPORT):
    """What `train.paper.study` wrote down, by study. Raises InputError where a file is damaged."""
    results = {}
    for name in STUDIES:
        path = report / f"{name}.json"
        if path.exists():
            try:
                results[name] = json.loads(path.read_text())
            except ValueError:
                raise InputError(f"{path}: damaged, run `train.paper.study {name}` again") from None
    return results


def read_rows(path):
    """The rows of a results file: those of its table `kind`, or all where it has only a list.

    Raises ValueError, KeyError or TypeError where it is damaged.
    """
    rows = json.loads(path.read_text())["rows"]
    if isinstance(rows, list):
        return rows
    return [rows[name] for name in STUDIES[path.stem].tables["kind"].rows]


def rows_of(result, ablation):
    """The rows of a table, as `train.paper.study.summarize` made them."""
    return [result["rows"][name] for name in ablation.rows]


def fill(text, results):
    """A page with its tables filled in from the results.

    Raises InputError where it names a table that no study has, or whose study was not run.
    """

    def block(match):
        opening, name, table, closing = match.groups()
        if name not in results or table not in STUDIES[name].tables:
            raise InputError(f"no results of a study {name} with a table {table}")
        ablation = STUDIES[name].tables[table]
        reference = results[name]["rows"][ablation.reference]
        rows = markdown(rows_of(results[name], ablation), reference, STUDIES[name].unseen)
        return f"{opening}{rows}\n{closing}"

    return BLOCK.sub(block, text)


def markdown(rows, reference, unseen="unseen digits"):
    """The rows as a Markdown table; all others are tested against the row `reference`."""
    lines = [
        f"| network | parameters | multiply-adds | accuracy on {unseen} | difference | p |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        size = f"{row['parameters'] / 1e3:.1f} k | {row['macs'] / 1e6:.2f} M"
        over = f" ± {row['deviation']:.1f}" if len(row["top1"]) > 1 else ""
        accuracy = f"{row['mean']:.1f}{over} %"
        difference, p = "–", "–"
        if row is not reference:
            mean, p = compare(row["top1"], reference["top1"])
            difference = f"{mean:+.1f}"
            p = "–" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"
        lines.append(f"| {row['name']} | {size} | {accuracy} | {difference} | {p} |")
    return "\n".join(lines)


def compare(scores, others):
    """(mean difference, p of a paired, two-sided t-test), the pairs being runs of one seed.

    p is nan for one seed, and where the differences are all the same.
    """
    import scipy.stats

    differences = [score - other for score, other in zip(scores, others)]
    mean = statistics.mean(differences)
    if len(set(differences)) < 2:
        return mean, math.nan
    return mean, float(scipy.stats.ttest_rel(scores, others).pvalue)


def draw(rows, title, path, unseen):
    """Accuracy by epoch, a thin line a seed, a thick one their mean; at the end, a dot a seed.

    Where the networks were measured at their end alone, the lines are of the pictures in training.
    """
    once = all(len(curve) == 1 for row in rows for curve in row["curves"])
    key, of = ("trained", "training pictures, augmented") if once else ("curves", unseen)
    plt = pyplot()
    figure, (curves, ends) = plt.subplots(1, 2, figsize=(10, 3.8), dpi=110, width_ratios=(3, 2))
    for number, row in enumerate(rows):
        color = f"C{number}"
        epochs = range(1, 1 + len(row[key][0]))
        for curve in row[key]:
            curves.plot(epochs, curve, color=color, alpha=0.3, linewidth=0.8)
        means = [statistics.mean(values) for values in zip(*row[key])]
        curves.plot(epochs, means, color=color, linewidth=2, label=row["name"])
        ends.plot(row["top1"], [number] * len(row["top1"]), "o", color=color, alpha=0.5)
        ends.plot([row["mean"]], [number], "|", color=color, markersize=22, markeredgewidth=2.5)
    curves.set(xlabel="epoch", ylabel=f"accuracy on {of}, %")
    curves.xaxis.get_major_locator().set_params(integer=True)
    curves.legend(fontsize=8)
    ends.set(xlabel=f"after the last epoch, {unseen}, %", yticks=range(len(rows)))
    ends.set_yticklabels([row["name"] for row in rows], fontsize=8)
    ends.set_ylim(len(rows) - 0.5, -0.5)
    for axes in (curves, ends):
        axes.grid(alpha=0.3)
    figure.suptitle(title, fontsize=10)
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main())
