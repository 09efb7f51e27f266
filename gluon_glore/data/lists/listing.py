"""What a list or a folder says: files and their classes, before the classes are numbered."""

from dataclasses import dataclass
from typing import Optional, Sequence, Tuple


@dataclass(frozen=True)
class Listing:
    """Files in the order of their source, and the class of each.

    `form` says in words what the source is. `lines` are the files' lines, None where a message
    names the file alone. Where `numbered`, a class that is a whole number is a label. `names` are
    the classes that the source itself gives, in label order.
    """

    form: str
    paths: Sequence[str]
    classes: Sequence[str]
    lines: Optional[Sequence[int]] = None
    numbered: bool = False
    names: Optional[Tuple[str, ...]] = None
