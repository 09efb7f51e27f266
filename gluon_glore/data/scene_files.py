"""Which files are a set's scenes: pictures and labels in their folders, put together by name."""

import os
from dataclasses import dataclass
from pathlib import Path

from ..utils.errors import InputError, naming, shown
from ..utils.files import read_text
from .sources import PICTURES

LARGEST_LIST = 2**28  # bytes of a list of scenes, some millions of them
SPLIT = "{split}"  # stands for the split in the path of a folder


@dataclass(frozen=True)
class Pattern:
    """Where files of a kind are, and what of their paths is the name of a scene.

    `path` is a folder below the root, as JPEGImages or images/{split}; or with what the names are
    made of: FOLDER/*_L.png, FOLDER/*/*.jpg. The last * is all of a file's name but the ending; each
    before it is a folder. `suffixes` are those of a file whose ending is not given, in lower case.
    `folder` is what a message calls a folder that is a part of the names.
    """

    path: str
    suffixes: tuple = tuple(sorted(PICTURES))
    folder: str = "*"

    @property
    def parts(self):
        """(folder, folders in it that are a part of the names, ending)."""
        parts = self.path.rstrip("/").split("/")
        if "*" not in self.path:
            return "/".join(parts), 0, ""
        fixed = parts[: next(i for i, part in enumerate(parts) if "*" in part)]
        *between, last = parts[len(fixed) :]
        return "/".join(fixed), len(between), last[1:]

    def check(self):
        """Raise InputError where the path is none of the two forms."""
        folder, depth, ending = self.parts
        forms = (folder, "/".join([folder, *"*" * depth, f"*{ending}"]).lstrip("/"))
        if self.path.rstrip("/") not in forms or "*" in ending:
            raise InputError(
                f"expected a folder, FOLDER/*ENDING or FOLDER/*/*ENDING, a * for each part of a "
                f"scene's name, given {shown(self.path)}"
            )

    def place(self, root, split):
        """The folder of a split."""
        return Path(root, self.parts[0].replace(SPLIT, split))

    def file(self, root, split, name):
        """The path of a scene's file, by its name."""
        ending = self.parts[2]
        suffix = "" if self._whole(ending) else self.suffixes[0]
        return self.place(root, split) / f"{name}{ending}{suffix}"

    def find(self, root, split):
        """{name of a scene: path} of the files of a split, in no order; paths begin with `root`.

        A name has the folders in it and neither ending nor suffix. Raises InputError where there is
        no such folder, saying which are there, or two files have one name.
        """
        root = Path(root)
        folder, depth, _ = self.parts
        _check_folders(root, folder.replace(SPLIT, split), self.expected(root, split))
        found = {}
        for name, path in self._below(self.place(root, split), depth, ""):
            if found.setdefault(name, path) != path:
                raise InputError(
                    f"{path}: a scene of the same name as {found[name].name}, give the ending of "
                    f"one of them: {folder}/*{path.suffix}"
                )
        return found

    def expected(self, root, split):
        """What a message calls the files: "ROOT/leftImg8bit/val/CITY/*_leftImg8bit.png"."""
        return self.place(root, split) / self.within

    @property
    def within(self):
        """What a message calls the files in their folder: "CITY/*_leftImg8bit.png"."""
        _, depth, ending = self.parts
        if not self._whole(ending):
            ending += self.suffixes[0] if len(self.suffixes) == 1 else ".jpg or another picture"
        return "/".join([*[self.folder] * depth, f"*{ending}"])

    def _whole(self, ending):
        """Whether an ending has the suffix of the files."""
        return os.path.splitext(f"x{ending}")[1].lower() in self.suffixes

    def _below(self, place, depth, before):
        """Yield (name, path) of the files of a folder, `depth` folders down."""
        ending = self.parts[2]
        whole = self._whole(ending)
        with naming(place):
            entries = visible(place)
        for entry in entries:
            if depth and entry.is_dir():
                yield from self._below(place / entry.name, depth - 1, f"{before}{entry.name}/")
            elif not depth:
                name = self._name(entry.name, ending, whole)
                if name:
                    yield f"{before}{name}", place / entry.name

    def _name(self, file, ending, whole):
        """A file's name without ending and suffix, None of one that has others."""
        stem, suffix = os.path.splitext(file)
        if suffix.lower() not in self.suffixes:
            return None
        name = file if whole else stem
        return name[: len(name) - len(ending)] if name.endswith(ending) else None


def _check_folders(root, folder, expected):
    """Raise InputError for the first of a path's folders that is not there, saying which are."""
    place = root
    with naming(root / folder):
        for part in ("", *folder.split("/")):
            place = place / part
            if not place.is_dir():
                there = f"; {contents(place.parent)}" if place != root else ""
                raise InputError(f"{place}: no such folder, expected {expected}{there}")


def visible(folder):
    """The entries of a folder, without those that a Mac's archives add."""
    with os.scandir(folder) as entries:
        return [entry for entry in entries if not entry.name.startswith(".")]


def contents(folder):
    """What a folder has in it, in words."""
    entries = sorted(visible(folder), key=lambda entry: entry.name)
    names = [entry.name for entry in entries if entry.is_dir()]
    names += [f"{entry.name} (not unpacked)" for entry in entries if entry.name.endswith(".zip")]
    return f"{folder} has {', '.join(names[:5]) or 'no folder'}"


def listed_names(path, pictures):
    """The names in a list of scenes, of those in `pictures`, one a line and in its order.

    A name may have the picture's suffix; blank lines are passed over. Raises InputError where the
    file can't be read or has none, and for a line that is no picture's name or comes twice.
    """
    if not os.path.lexists(path):
        raise InputError(f"{path}: no such file, expected a list of scenes, one name a line")
    lines = read_text(path, "utf-8-sig", LARGEST_LIST).splitlines()
    by_file = {
        os.path.join(os.path.dirname(name), file.name): name for name, file in pictures.items()
    }
    names, missing = {}, []
    for number, line in enumerate(lines, start=1):
        line = line.strip()
        name = line if line in pictures else by_file.get(line)
        if name is None:
            if line:
                missing.append(f"{path} line {number}: {shown(line)}")
        elif names.setdefault(name, number) != number:
            raise InputError(f"{path} line {number}: {shown(line)} is in line {names[name]} too")
    if missing:
        raise InputError(
            f"{missing[0]}: no picture of this name, as of {len(missing)} of "
            f"{len(missing) + len(names)} lines"
        )
    if not names:
        raise InputError(f"{path}: no scene in it, expected one name a line")
    return list(names)
