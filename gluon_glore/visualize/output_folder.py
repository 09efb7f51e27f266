"""The folder that `predict --out` and `show` write into, its files named after their sources."""

import contextlib
import itertools
import os
from pathlib import Path

from ..utils.errors import InputError, naming


class OutputFolder:
    """A folder of files that are named after the picture or video they were made from.

    `path` is the folder's; it is made where it does not exist. Raises InputError where it can't be.
    """

    def __init__(self, folder):
        self.path = Path(folder)
        self._sources = {}  # {name: the file it was given to}
        with naming(folder):
            self.path.mkdir(parents=True, exist_ok=True)

    def name(self, place):
        """What the files of a picture or video (sources.Place) are called, without an ending.

        It is the source's own name, with its folders below the one that was asked for; the number
        of a frame follows in six digits. Raises InputError where another source has that name.
        """
        name = "stdin" if place.name == "-" else str(Path(place.name).with_suffix(""))
        if place.frame is not None:
            name += f"_{place.frame:06d}"
        source = self._sources.setdefault(name, place.file)
        if source != place.file:
            raise InputError(f"its files in {self.path} would overwrite those of {source}")
        return name


def put_aside(folder) -> Path:
    """Rename a folder to its name with ".1" behind it, or the first number that is free.

    It must end in a name, not in "." or "..". Returns the new path. Raises InputError where
    it can't be renamed.
    """
    folder = Path(folder)
    aside = (folder.with_name(f"{folder.name}.{n}") for n in itertools.count(1))
    kept = next(path for path in aside if not os.path.lexists(path))
    with naming(folder):
        os.rename(folder, kept)
    return kept


@contextlib.contextmanager
def naming_picture(place):
    """What is inside raises InputErrors that name the picture of a `Place`."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place.file}: {error}") from None
