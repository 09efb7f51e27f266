"""The one error of this project's own making."""


class InputError(ValueError):
    """Something given is not allowed; the message says what was given and what is, in one line.

    Command lines print it without a traceback and exit with 2.
    """
