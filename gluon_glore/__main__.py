"""List, export and run networks with GloRe units, and see what the units do.

COMMAND --help has the options of a command.
"""

import sys
from pathlib import Path

from . import __version__
from .cli import export, networks, predict, serve, show, zoo
from .utils.arguments import ArgumentParser
from .utils.command import exit_code
from .utils.cpu import prepare_cpu


def main(argv=None):
    """Run a command. Returns the exit code: 0, 2 for what can't be used, 130 after Ctrl-C."""

    def command():
        args = parse_args(argv)
        prepare_cpu()  # before the commands import MXNet
        return args.command(args)

    return exit_code(command)


def parse_args(argv):
    """The options; `command` is the function that runs them. Exits where they are wrong."""
    parser = ArgumentParser(prog=typed_command(), description=__doc__)
    parser.add_argument("--version", action="version", version=f"gluon-glore {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (networks, export, predict, serve, show, zoo):
        group.add_commands(commands)
    return parser.parse_args(argv)


def typed_command():
    """How this program was started: by the installed script, or as a module."""
    script = "gluon-glore"
    return script if Path(sys.argv[0]).stem == script else "python -m gluon_glore"


if __name__ == "__main__":
    sys.exit(main())
