"""Types of command-line options: functions of an option's text for argparse's `type`.

Where they raise ValueError, argparse says "invalid NAME value", NAME being the function's.
"""


def positive_int(text):
    """An argparse type: a whole number above 0."""
    number = int(text)
    if number < 1:
        raise ValueError(f"{number} is not above 0")
    return number


def not_negative(text):
    """An argparse type: a whole number, 0 or above."""
    number = int(text)
    if number < 0:
        raise ValueError(f"{number} is below 0")
    return number


def finite(text):
    """An argparse type: a number that is neither infinite nor nan."""
    number = float(text)
    if not abs(number) < float("inf"):
        raise ValueError(f"{number} is not finite")
    return number


def amount(text):
    """An argparse type: a whole number above 0, perhaps with K, M or G for 10^3, 10^6 or 10^9."""
    scale = {"K": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:].upper())
    return positive_int(text[:-1]) * scale if scale else positive_int(text)


def numbers(text):
    """An argparse type: a tuple of whole numbers, as of 0,3,7."""
    return tuple(map(int, text.split(",")))


def pixels(text):
    """An argparse type: (height, width) in pixels, of 512 or 512x768."""
    sides = [positive_int(side) for side in text.split("x")]
    height, width = sides * 2 if len(sides) == 1 else sides
    return height, width


def port(text):
    """An argparse type: a TCP port, or 0 for any that is free."""
    number = int(text)
    if not 0 <= number < 2**16:
        raise ValueError
    return number


def milliseconds(text):
    """An argparse type: a time in milliseconds, at least 0 and finite."""
    number = float(text)
    if not 0 <= number < float("inf"):
        raise ValueError
    return number
