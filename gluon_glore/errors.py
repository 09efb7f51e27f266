"""How this project refuses what it is given."""


class InputError(ValueError):
    """Something given is not allowed; the message says what was given and what is, in one line.

    Command lines print it without a traceback and exit with 2.
    """


def positive_int(text):
    """An argparse type: a whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is not above 0")
    return number
