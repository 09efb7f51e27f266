"""The class names of pictures in RecordIO: of the training set, and whether all agree with them."""

from pathlib import Path

from gluon_glore.data.class_names import check_names_beside, names_beside, read_names
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


def training_names(data, classes):
    """The class names of a `Data` section, those beside the training set where it gives none.

    Without either they are numbers. Raises InputError where a file has not as many as `classes`.
    """
    beside = class_names(names_beside(data.train), classes)
    return class_names(data.class_names, classes) if data.class_names else beside


def check_names(data, classes):
    """Raise InputError where the files of names of a `Data` section do not agree.

    The validation set's are compared with those beside the training set, else with those given.
    """
    beside, given = names_beside(data.train), training_names(data, classes)
    source = Path(data.class_names) if data.class_names else "model.classes"
    check_names_beside(data.train, given, source)
    if beside:
        check_names_beside(data.val, read_names(beside), beside, packed=True)
    else:
        check_names_beside(data.val, given, source)
