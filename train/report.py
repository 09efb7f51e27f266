"""Runs side by side: figures and what differs in their configurations, and their curves.

    python -m train.report RUN... [--out FILE.png]

prints a Markdown table, a column a run. Runs that are not finished are shown as far as they came.
"""

import sys

from gluon_glore.utils.arguments import ArgumentParser
from gluon_glore.utils.command import exit_code
from gluon_glore.utils.errors import naming

from .reporting.curves import draw_curves
from .reporting.runs import read_run
from .reporting.table import table


def main(argv=None):
    """Print and draw the runs; returns the exit code: 0, or 2 for what can't be used."""
    parser = ArgumentParser(
        prog="python -m train.report",
        description="Lay training runs side by side, as a Markdown table and as curves.",
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="directory of a run")
    parser.add_argument("--out", metavar="FILE.png", help="draw the curves over each other")
    args = parser.parse_args(argv)

    def command():
        runs = [read_run(path) for path in args.runs]
        print(table(runs))
        if args.out:
            with naming(args.out):
                draw_curves(runs, args.out)

    return exit_code(command)


if __name__ == "__main__":
    sys.exit(main())
