"""Some of a network's classes, on which it is scored: those of ImageNet-A, say, 200 of 1000."""

from collections import Counter
from dataclasses import dataclass
from typing import Tuple

import numpy as np

from gluon_glore.data.class_names import class_of, read_names
from gluon_glore.utils.errors import InputError, shown


@dataclass(frozen=True)
class ClassSubset:
    """Some of a network's `of` classes: `numbers` are the network's numbers of them, in its order.

    `places[label]` is the place among them of the class that a label of the data stands for.
    `source` is where the classes are named, `label_source` where the names of the labels are.
    """

    numbers: Tuple[int, ...]
    places: Tuple[int, ...]
    of: int
    source: str
    label_source: str

    @property
    def note(self):
        """The end of a line that says a score."""
        classes = f"{len(self.numbers)} of the network's {self.of} classes"
        return f", on {classes} (labels as in {self.label_source})"

    def settings(self):
        """What a file of results says of it."""
        return {
            "subset": self.source,
            "labels": self.label_source,
            "classes": len(self.numbers),
            "network_classes": self.of,
        }

    def batches(self, batches):
        """The same `(pixels, labels)`, the labels as places among the classes, float32 as ever."""
        places = np.array(self.places, np.float32)
        for pixels, labels in batches:
            yield pixels, places[labels.astype(int)]


def class_subset(file, label_file, class_names, model, names=None) -> ClassSubset:
    """The classes of the network `model` that a file names, a line each, in any order.

    `label_file` has the names that the data's labels stand for, perhaps the same file;
    `class_names` are all of the network's. `names`: those of `file`, where it is a folder or a list
    of pictures that has them. "n01440764 tench" and "n01440764" are one class. Raises
    InputError, with the line, where a name is none of the network's or of several of its classes,
    or repeats another, or where the data have a class that the file does not name.
    """
    numbers = _numbers(file, class_names, model, names)
    places = {number: place for place, number in enumerate(sorted(numbers))}
    # A file that is a pipe can be read once.
    labels = numbers if label_file == file else _numbers(label_file, class_names, model)
    for line, number in enumerate(labels, 1):
        if number not in places:
            raise InputError(
                f"{label_file} line {line}: {shown(class_names[number])} is not among the "
                f"{len(places)} classes of {file}: a subset needs all that the data have"
            )
    return ClassSubset(
        tuple(sorted(numbers)),
        tuple(places[number] for number in labels),
        len(class_names),
        str(file),
        str(label_file),
    )


def _numbers(file, class_names, model, names=None):
    """The network's number of each name in a file, or of `names`. Raises InputError."""
    numbered = names is None
    names, known = read_names(file) if numbered else names, [class_of(name) for name in class_names]
    if not names:
        raise InputError(f"{file}: no class names in it")
    number_of, times = {name: i for i, name in enumerate(known)}, Counter(known)
    lines = {}  # of each number
    for line, name in enumerate(names, 1):
        number = number_of.get(class_of(name))
        if number is None:
            fault = f"is none of the {len(known)} classes of {model}"
        elif times[known[number]] > 1:
            fault = f"is the name of {times[known[number]]} classes of {model}"
        elif number in lines:
            fault = f"is the class of line {lines[number]} too"
        else:
            lines[number] = line
            continue
        place = f"{file} line {line}" if numbered else file
        raise InputError(f"{place}: {shown(name)} {fault}")
    return list(lines)
