"""How every command ends: its exit code, and an error in one line."""

import contextlib
import os
import sys

from .errors import InputError
from .extras import how_to_install


def exit_code(command, tells=lambda error: True) -> int:
    """Run `command()`; returns its exit code: what it returned, or 0.

    2 after an InputError, which is printed as one line on stderr where `tells(error)` is true (of
    several processes only one prints it), and 130 after Ctrl-C. MXNet that is not installed is told
    in the same way, and stdout that can't be written. Where the reader of stdout ends first, as
    `| head` does, that is no error.
    """
    if sys.stdout is None:  # closed on purpose: what is printed goes nowhere
        return _code_of(command, tells)
    with contextlib.redirect_stdout(_Output(sys.stdout)) as output:
        try:
            code = _code_of(command, tells)
        except SystemExit:  # of --help
            if failed := _code_of(output.flush, tells):
                return failed
            raise
        return _code_of(output.flush, tells) or code


def _code_of(command, tells):
    try:
        return command() or 0
    except InputError as error:
        return _tell(error, tells)
    except ModuleNotFoundError as error:
        if error.name != "mxnet":  # the extra that only a few commands can do without
            raise
        return _tell(f"mxnet is not installed: {how_to_install('cpu')}", tells)
    except _ReaderGone:
        return 0
    except KeyboardInterrupt:
        return 130


def _tell(error, tells):
    """Print an error in one line where that is to be; returns 2."""
    if tells(error):
        try:
            print(f"error: {error}", file=sys.stderr, flush=True)
        except OSError:  # nobody can be told
            _silence(sys.stderr)
    return 2


class _ReaderGone(Exception):
    """The process that reads stdout has ended."""


class _Output:
    """A stream whose failure is not mistaken for that of a file which is written meanwhile."""

    def __init__(self, stream):
        self._stream = stream

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def write(self, text):
        """Write as the stream does. Raises InputError where it can't."""
        with self._failing():
            return self._stream.write(text)

    def flush(self):
        """Flush as the stream does. Raises InputError where it can't."""
        with self._failing():
            self._stream.flush()

    @contextlib.contextmanager
    def _failing(self):
        try:
            yield
        except OSError as error:
            _silence(self._stream)
            if isinstance(error, BrokenPipeError):
                raise _ReaderGone from None
            raise InputError(f"standard output: {error.strerror}") from None


def _silence(stream):
    """Let what is left to be written go nowhere: Python flushes once more at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
