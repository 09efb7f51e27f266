"""How every command ends: its exit code, and an error in one line."""

import os
import sys

from .errors import InputError
from .extras import how_to_install


def exit_code(command, tells=lambda error: True) -> int:
    """Run `command()`; returns its exit code: what it returned, or 0.

    2 after an InputError, which is printed as one line on stderr where `tells(error)` is true (of
    several processes only one prints it), and 130 after Ctrl-C. MXNet that is not installed is told
    in the same way. Where the reader of stdout ends first, as `| head` does, that is no error.
    """
    try:
        code = command() or 0
        sys.stdout.flush()
        return code
    except InputError as error:
        if tells(error):
            print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name != "mxnet":  # the extra that only a few commands can do without
            raise
        if tells(error):
            print(f"error: mxnet is not installed: {how_to_install('cpu')}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # Python flushes once more at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
