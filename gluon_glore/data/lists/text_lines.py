"""The lines of a list: a text file that may be long, written by any editor."""

import csv

from ...utils.files import read_text

LARGEST = 2**28  # bytes of a list: six times that of ImageNet's 1.28 million pictures


def read_lines(path):
    """The lines of a list, each without blanks at its ends; empty ones stay, so that they count.

    Raises InputError where the file can't be read, is no text in UTF-8 or has more than `LARGEST`
    bytes. The mark that some editors begin a file with is no part of it.
    """
    text = read_text(path, "utf-8-sig", most=LARGEST, pipe=True)
    return [line.strip() for line in text.splitlines()]


def is_comment(line):
    """Whether a line may be a comment: it is one where it is no line of the list's form."""
    return line.startswith("#")


def csv_fields(line):
    """The fields of a line of CSV, without blanks at their ends; None where its quotes are odd."""
    if '"' in line:
        try:
            rows = list(csv.reader([line], skipinitialspace=True, strict=True))
        except csv.Error:
            return None
        fields = rows[0] if len(rows) == 1 else ()
    else:
        fields = line.split(",")
    return [field.strip() for field in fields] or None
