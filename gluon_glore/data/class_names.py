"""Files of class names: one name a line, in the order of the labels."""

from pathlib import Path

from ..utils.errors import InputError


def read_names(path):
    """The names in a file, a list. Raises InputError naming the file where it can't be read."""
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {getattr(error, 'strerror', 'not a text file')}") from None
