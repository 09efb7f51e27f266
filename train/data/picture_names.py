"""The class names of pictures in RecordIO: of the training set, and whether all agree with them."""

from pathlib import Path

from gluon_glore.data.class_names import check_names_beside, names_beside, read_names
from gluon_glore.data.labelled_pictures import is_packed, record_files
from gluon_glore.utils.errors import InputError


def class_names(file, classes):
    """The names in a file, in label order; without one, numbers.

    Raises InputError where they are not as many as `classes`.
    """
    if not file:
        return [str(i) for i in range(classes)]
    names = read_names(file)
    if len(names) != classes:
        raise InputError(
            f"{file}: {classes} classes, given {len(names)} names: set model.classes to as many, "
            "or give other names"
        )
    return names


def beside(packed):
    """The names file beside one or several .rec, the first that there is; None without one."""
    return next(filter(None, map(names_beside, record_files(packed))), None)


def training_names(data, classes):
    """The class names of a `Data` section, those beside the training set where it gives none.

    Without either they are numbers. Raises InputError where a file has not as many as `classes`.
    """
    own = class_names(beside(data.train), classes)
    return class_names(data.class_names, classes) if data.class_names else own


def check_names(data, classes, names=None):
    """Raise InputError where names beside records of a `Data` section do not agree with the others.

    `names` are the network's, default: `training_names`. Those beside the validation records are
    compared with those beside the training records, else with the network's.
    """
    expected = names or training_names(data, classes)
    source, packed = Path(data.class_names) if data.class_names else "model.classes", False
    if is_packed(data.train):
        for file in record_files(data.train):
            check_names_beside(file, expected, source)
        own = beside(data.train)
        if own:
            expected, source, packed = read_names(own), own, True
    elif not data.class_names:
        source = f"data.train {data.train}"
    if is_packed(data.val):
        for file in record_files(data.val):
            check_names_beside(file, expected, source, packed=packed)
