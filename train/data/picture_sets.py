"""The training and the validation pictures of a run, files or records, of the same classes."""

from typing import NamedTuple, Tuple

from gluon_glore.data.class_names import read_names
from gluon_glore.data.labelled_pictures import is_packed, open_pictures
from gluon_glore.utils.errors import InputError

from .class_count import count_classes
from .picture_names import beside, training_names


class PictureSets(NamedTuple):
    """A run's pictures, `class_names` in label order, and its `config` with the classes counted."""

    config: object
    class_names: Tuple[str, ...]
    training: object
    validation: object


def open_sets(config) -> PictureSets:
    """The pictures that a configuration names; those of validation have the training set's labels.

    The names are those of `data.class_names`, else of the folder, the list or beside the records.
    Raises InputError where a set can't be opened, or its classes, `data.class_names` and
    `model.classes` do not go together.
    """
    return (_packed if is_packed(config.data.train) else _files)(config)


def _files(config):
    """The sets of a run that trains on a folder or a list."""
    data = config.data
    given = read_names(data.class_names) if data.class_names else None
    training = open_pictures(data.train, given, root=data.root)
    names = training.class_names
    config = count_classes(config, names, training.path)
    if data.val_share:
        return PictureSets(config, names, *training.split(data.val_share, config.seed))
    validation = open_pictures(data.val, names, root=data.root, use="val")
    return PictureSets(config, names, training, validation)


def _packed(config):
    """The sets of a run that trains on records."""
    data = config.data
    if data.val_share:
        raise InputError(
            f"config key data.val_share sets files of a folder or list aside, data.train "
            f"{data.train} is packed: data.val names a validation set"
        )
    if not config.model.classes:
        file = data.class_names or beside(data.train)
        config = count_classes(config, file and read_names(file), data.train)
    names = tuple(training_names(data, config.model.classes))
    training = open_pictures(data.train, classes=config.model.classes)
    try:
        validation = open_pictures(data.val, names, root=data.root, use="val")
    except InputError as error:
        if data.class_names or beside(data.train) or is_packed(data.val):
            raise
        raise InputError(
            f"{error} (numbers: data.train {data.train} has no names beside it, and "
            "data.class_names gives none)"
        ) from None
    return PictureSets(config, names, training, validation)
