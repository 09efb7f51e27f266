"""The labelled files of a source: a folder of class folders, or a list."""

from dataclasses import dataclass
from typing import FrozenSet, Optional, Tuple

from ..sources import PICTURES, VIDEOS
from .class_lists import label_files, list_files


@dataclass(frozen=True)
class Kind:
    """What the files are: a word for messages, and their suffixes in lower case."""

    word: str
    suffixes: FrozenSet[str]


PICTURE = Kind("picture", PICTURES)
VIDEO = Kind("video", VIDEOS)


@dataclass(frozen=True)
class LabelledFiles:
    """Files in the order of their source; `labels[i]` is the place of file i's class in the names.

    `form` says in words what the source is, as "class folders" or "a list". No file of a list is
    looked for.
    """

    paths: Tuple[str, ...]
    labels: Tuple[int, ...]
    class_names: Tuple[str, ...]
    form: str

    def __len__(self):
        return len(self.paths)


def labelled_files(
    source, kind: Kind, class_names: Optional[Tuple[str, ...]] = None, root="", use="train"
) -> LabelledFiles:
    """The files of one `kind` that a source lists, with their labels.

    `source` is a folder of class folders or a list file. `class_names`, in label order: those of
    the training set for a validation set; default: the source's own. `root` is where a list's
    relative paths begin, "" at the list. `use`, "train" or "val", is what they are for: a list of
    both says which are which.

    Raises InputError where there is no file, or a line, a label or a class is of no use, naming it.
    """
    files = list_files(source, kind.suffixes, kind.word, root=root or None)
    names, labels = label_files(source, files, class_names)
    return LabelledFiles(tuple(path for path, _ in files), tuple(labels), names, "a list")
