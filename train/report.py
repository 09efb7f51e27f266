"""Runs side by side: figures and what differs in their configurations, and their curves.

    python -m train.report RUN... [--out FILE.png]

prints a Markdown table, a column a run. Runs that go on, or were killed, are shown as far as they
came.
"""

import argparse
import sys

from gluon_glore.utils.errors import InputError, naming

from .reporting.curves import draw_curves
from .reporting.runs import read_run
from .reporting.table import table


def main(argv=None):
    """Returns the exit code: 0, or 2 for a folder or file that can't be used."""
    parser = argparse.ArgumentParser(
        prog="python -m train.report",
        description="Lay training runs side by side, as a Markdown table and as curves.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="directory of a run")
    parser.add_argument("--out", metavar="FILE.png", help="draw the curves over each other")
    args = parser.parse_args(argv)
    try:
        runs = [read_run(path) for path in args.runs]
        print(table(runs))
        if args.out:
            with naming(args.out):
                draw_curves(runs, args.out)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
