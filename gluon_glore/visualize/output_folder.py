"""A folder of pictures that are named after the files they were made of."""

from pathlib import Path

from ..utils.errors import InputError, naming


class NamedFolder:
    """A folder for files that are called as what they are made of. InputError if it can't be made.

    `path` is the folder's.
    """

    def __init__(self, folder):
        self.path = Path(folder)
        self._owners = {}  # of the names: the file each is of
        with naming(folder):
            self.path.mkdir(parents=True, exist_ok=True)

    def name(self, place):
        """What the files of a picture or video (sources.Place) are called, without an ending.

        As it is, below its folder among the sources; of a frame its number follows, in six digits.
        Raises InputError where those of another file are called so.
        """
        name = "stdin" if place.name == "-" else str(Path(place.name).with_suffix(""))
        if place.frame is not None:
            name += f"_{place.frame:06d}"
        owner = self._owners.setdefault(name, place.file)
        if owner != place.file:
            raise InputError(f"its files in {self.path} would overwrite those of {owner}")
        return name
