"""How this project refuses what it is given: `InputError`, in one line."""

import contextlib


class InputError(ValueError):
    """Something given is not allowed; the message says what was given and what is, in one line.

    Command lines print it without a traceback and exit with 2.
    """


class OutputError(InputError):
    """Raised where a network's outputs are no good, whatever it was given."""


@contextlib.contextmanager
def naming(path):
    """Raise the system's errors in the body, as of a full disk, as InputErrors that name a file.

    It is the file that the system names, or else `path`.
    """
    try:
        yield
    except OSError as error:
        raise InputError(f"{error.filename or path}: {error.strerror or error}") from None


def shown(value, most=60):
    """A value as a message shows it: in one line, and no more of a long one than its beginning."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no whole number of more than 4300 digits
        text = "a number of thousands of digits"
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def printable(text, most=300):
    """A text as it is, or as `shown` shows it where it is long or has signs that print nothing."""
    return text if text.isprintable() and len(text) <= most else shown(text, most)


def listed(problems, most=5):
    """The first `most` of several problems in one line, and how many others there are."""
    more = len(problems) - most
    return "; ".join(problems[:most]) + (f"; and {more} more" if more > 0 else "")
