"""`model.classes` and the class names of the training set: as many as there are."""

import dataclasses

from gluon_glore.utils.errors import InputError


def count_classes(config, names, training):
    """`config`, in which a `model.classes` of 0 has become the number of the class `names`.

    `training` is the path of the training set; `names` is None where it has none. Raises InputError
    where `model.classes` is another number, or 0 and there are no names.
    """
    data, classes = config.data, config.model.classes
    if names is None:
        if classes:
            return config
        raise InputError(
            f"data.train {training}: no class names beside it, as many as which model.classes 0 "
            "stands for: set model.classes, or data.class_names"
        )
    if classes and classes != len(names):
        source = f"data.class_names {data.class_names}: {len(names)} names"
        found = f"data.train {training}: {len(names)} classes"
        raise InputError(
            f"{source if data.class_names else found}, model.classes is {classes}: set "
            f"model.classes to {len(names)}, or 0 for as many as there are"
        )
    return dataclasses.replace(config, model=dataclasses.replace(config.model, classes=len(names)))
