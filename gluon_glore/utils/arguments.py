"""Command lines: their parser, and types of options, functions of a text for argparse's `type`.

Of a text that will not do, argparse says what is allowed and what was given.
"""

import argparse
import functools
import os

from .errors import shown

LARGEST = 2**31 - 1  # whole number that an option takes; more is a slip of the finger


class ArgumentParser(argparse.ArgumentParser):
    """argparse's, in whose texts "~" at the beginning is the user's folder.

    A shell writes it out only where it begins a word, not in --data=~/val.rec.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.register("type", None, os.path.expanduser)  # of options that say no type


def _allowed(words):
    """Make a function of a text, which raises ValueError, an argparse type that says `words`."""

    def wrap(parse):
        @functools.wraps(parse)
        def kind(text):
            try:
                return parse(text)
            except (ValueError, OverflowError, argparse.ArgumentTypeError):
                raise argparse.ArgumentTypeError(f"{words}, given {shown(text)}") from None

        return kind

    return wrap


def _within(number, least, most=LARGEST):
    if not least <= number <= most:  # nor is nan
        raise ValueError
    return number


@_allowed(f"a whole number, at most {LARGEST}")
def whole(text):
    """An argparse type: a whole number."""
    return _within(int(text), -LARGEST)


@_allowed(f"a whole number above 0, at most {LARGEST}")
def positive_int(text):
    """An argparse type: a whole number above 0."""
    return _within(int(text), 1)


@_allowed(f"a whole number from 0 to {LARGEST}")
def not_negative(text):
    """An argparse type: a whole number, 0 or above."""
    return _within(int(text), 0)


@_allowed("a number that is not infinite")
def finite(text):
    """An argparse type: a number that is neither infinite nor nan."""
    return _within(float(text), -1e300, 1e300)


@_allowed("a number from 0 to 1")
def share(text):
    """An argparse type: a share, from 0 to 1."""
    return _within(float(text), 0, 1)


@_allowed("a whole number above 0, as 16M (K, M or G)")
def amount(text):
    """An argparse type: a whole number above 0, perhaps with K, M or G for 10^3, 10^6 or 10^9."""
    scale = {"K": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:].upper())
    return positive_int(text[:-1]) * scale if scale else _within(int(text), 1, 2**62)


@_allowed("whole numbers with commas between them, as 0,3,7")
def numbers(text):
    """An argparse type: a tuple of whole numbers, as of 0,3,7."""
    return tuple(whole(number) for number in text.split(","))


@_allowed("pixels above 0, as 512 or 512x768 (height x width)")
def pixels(text):
    """An argparse type: (height, width) in pixels, of 512 or 512x768."""
    sides = [positive_int(side) for side in text.split("x")]
    height, width = sides * 2 if len(sides) == 1 else sides
    return height, width


@_allowed("channels x height x width, as 3x224x224, of videos channels x frames x height x width")
def input_shape(text):
    """An argparse type: (3, 224, 224) of 3x224x224, of videos with the frames behind channels."""
    shape = tuple(positive_int(side) for side in text.split("x"))
    _within(len(shape), 3, 4)
    return shape


@_allowed("a port from 0 to 65535")
def port(text):
    """An argparse type: a TCP port, or 0 for any that is free."""
    return _within(int(text), 0, 2**16 - 1)


@_allowed("milliseconds, 0 or above")
def milliseconds(text):
    """An argparse type: a time in milliseconds, at least 0 and finite."""
    return _within(float(text), 0)
