"""Labels: the places of classes among the names."""

import re

from ...utils.errors import InputError, printable, shown
from ..class_names import ClassNames, class_of

_MOST = 100_000  # classes that a list's integers may stand for
_INTEGER = re.compile("-?[0-9]{1,18}")


def label_files(source, listing, names=None):
    """(class names, labels) of a `Listing`; a label is the place of a class in the names.

    `names` in label order; default: those that the source gives, else the classes sorted, or where
    all of a list's are integers, "0", "1", ... up to the largest. An integer of a list that is no
    name is a label, counted as the names are (`ClassNames.first`). Raises InputError for a name
    that comes twice or, naming line and path, for a class that is neither or a label out of range;
    without `names` also for labels that count from 1, and for a single class folder.
    """
    firsts = {}  # of each class, its first file
    for place, name in enumerate(listing.classes):
        firsts.setdefault(name, place)
    if names is None:
        names = listing.names
    if names is None and listing.numbered and all(map(_INTEGER.fullmatch, firsts)):
        names = _numbers(source, set(map(int, firsts)))
    if names is None and listing.lines is None and len(firsts) == 1:
        raise InputError(
            f"{source}: one class folder in it, {min(firsts)}: give the folder whose folders are "
            "the classes, a list, or the names of all classes"
        )
    names = ClassNames(
        map(str, sorted(firsts) if names is None else names), getattr(names, "first", 0)
    )
    label_of = number_names(names)
    alike = {}

    def label(name, place):
        if class_of(name) in label_of:
            return label_of[class_of(name)]
        path = printable(listing.paths[place])
        if listing.lines is not None:
            path = f"{source} line {listing.lines[place]}: {path}"
        if listing.numbered and _INTEGER.fullmatch(name):
            if names.first <= int(name) < names.first + len(names):
                return int(name) - names.first
            raise InputError(
                f"{path}: label {name} is out of range, {names.first} to "
                f"{names.first + len(names) - 1} allowed for {len(names)} class names: "
                + ("the names are numbered from 1" if names.first else "labels count from 0")
            )
        if not alike:
            alike.update(_alike(names))
        if alike.get(_spelled(name)) is not None:
            return alike[_spelled(name)]
        raise InputError(f"{path}: class {shown(name)} is not among the {len(names)} names given")

    label_by_class = {name: label(name, place) for name, place in firsts.items()}
    return names, [label_by_class[name] for name in listing.classes]


def _alike(names):
    """{a name with its number before it, or with blanks for underscores: label}; None if of two.

    A file of names that are numbered in order has read them without the numbers, which folders have
    still; Kinetics' classes have blanks in its csv and often underscores as folders.
    """
    alike = {}
    for label, name in enumerate(names):
        for text in {_spelled(name), _spelled(f"{label + names.first} {name}")}:
            alike[text] = None if text in alike else label
    return alike


def _spelled(name):
    return name.replace("_", " ")


def _numbers(source, labels):
    """The names of classes that have none: the numbers up to the largest. Raises InputError."""
    most = max(labels)
    if min(labels) == 1 and len(labels) == most:
        raise InputError(
            f"{source}: labels 1 to {most} and no 0, but they count from 0: subtract 1, or give "
            "the class names of all labels from 0 on"
        )
    return range(max(0, min(most, _MOST - 1)) + 1)


def number_names(names):
    """{`class_of` a name: label}, in their order.

    Raises InputError for no names, or one that comes twice.
    """
    if not names:
        raise InputError("no class names given")
    label_of = {}
    for label, name in enumerate(names):
        if label_of.setdefault(class_of(name), label) != label:
            raise InputError(
                f"class name {shown(name)} comes twice among the {len(names)} names given"
            )
    return label_of
