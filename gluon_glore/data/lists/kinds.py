"""What labelled files are: pictures or videos."""

from dataclasses import dataclass
from typing import FrozenSet

from ..sources import PICTURES, VIDEOS


@dataclass(frozen=True)
class Kind:
    """What the files are: a word for messages, and their suffixes in lower case."""

    word: str
    suffixes: FrozenSet[str]

    def has(self, path):
        """Whether a path ends as one of this kind does."""
        return path[path.rfind(".") :].lower() in self.suffixes


PICTURE = Kind("picture", PICTURES)
VIDEO = Kind("video", VIDEOS)
