"""Run cases: `python -m tests.fuzz [KIND ...] [--count N] [--from I] [--seed S] [--save FOLDER]`.

Prints a row a kind, and what each fault was. Exits with 1 where there is one. One case again:
`python -m tests.fuzz KIND --from NUMBER --count 1 --save FOLDER`.
"""

import argparse
import contextlib
import itertools
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gluon_glore.utils.arguments import positive_int

from .hunt import TITLES, Hunter, described, row
from .kind import case
from .kinds import KINDS, find


def main(argv=None):
    """Run the cases that the command line asks for; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__.split("`")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"of {', '.join(KINDS)}; all")
    parser.add_argument("--count", type=positive_int, default=5000, help="cases a kind (5000)")
    parser.add_argument("--from", dest="start", type=int, default=0, help="number of the first (0)")
    parser.add_argument("--seed", type=int, default=0, help="other numbers, other cases (0)")
    parser.add_argument("--jobs", type=positive_int, default=1, help="kinds at a time (1)")
    parser.add_argument("--markdown", action="store_true", help="rows of docs/reliability.md")
    parser.add_argument("--save", type=Path, help="folder for the inputs with a fault")
    args = parser.parse_args(argv)
    kinds = args.kinds or KINDS
    bad = False
    mark = " | " if args.markdown else "  "
    widths = [max(map(len, (*KINDS, "kind"))), *map(len, TITLES[1:])]

    def printed(cells):
        text = mark.join(str(cell).ljust(width) for cell, width in zip(cells, widths))
        return f"| {text} |" if args.markdown else text

    print(printed(TITLES), flush=True)
    if args.markdown:
        print("|---" * len(TITLES) + "|")
    for tally in tallies(kinds, args):
        note = "" if args.markdown else f"  {tally.seconds:.1f} s"
        print(printed(row(tally)) + note, flush=True)
        for line in described(tally):
            print(f"  {line}", file=sys.stderr, flush=True)
        if args.save:
            save(args.save, tally, args.seed)
        bad |= bool(tally.bad)
    return int(bad)


def tallies(kinds, args):
    """Yield the tally of each kind, in order, `args.jobs` being run at a time."""
    hunters = [Hunter() for _ in range(args.jobs)]
    free = list(hunters)

    def run(name):
        hunter = free.pop()
        try:
            return hunter.run(name, args.count, args.seed, args.start)
        finally:
            free.append(hunter)

    with contextlib.ExitStack() as open_hunters:
        for hunter in hunters:
            open_hunters.enter_context(hunter)
        with ThreadPoolExecutor(args.jobs) as pool:
            yield from pool.map(run, kinds)


def save(folder, tally, seed):
    """Write the inputs of a tally's faults, one of those that look alike, below a folder."""
    kind = find(tally.kind)
    seeds = kind.seeds()
    for what, found in tally.faults.items():
        for number, _ in itertools.islice(found, 20):
            data = case(kind, tally.kind, seeds, seed, number)
            files = data if isinstance(data, dict) else {"input": data}
            for name, content in files.items():
                file = folder / f"{tally.kind}-{what}-{number}" / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)


if __name__ == "__main__":
    sys.exit(main())
