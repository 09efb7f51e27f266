"""Checks of values by their config keys: each raises InputError, saying what is allowed."""

from gluon_glore.utils.errors import InputError, shown


def check_pixels(data):
    """Raise InputError where a `data` section's pixels, threads or max_bad will not do."""
    scales = data.scale if isinstance(data.scale, tuple) else (data.scale,)
    above_0({"data.scale": min(scales, default=0), "data.threads": data.threads})
    if isinstance(data.scale, tuple) and len(data.scale) != len(data.mean):
        raise InputError(
            f"config key data.scale is one number, or one for each of data.mean's {len(data.mean)}"
            f" channels, given {len(data.scale)}"
        )
    above_0({"data.size": min(data.size)})
    below_1({"data.max_bad": data.max_bad})
    resize = getattr(data, "resize", 0)  # whole scenes are never resized
    if resize < 0 or 0 < resize < min(data.size):
        raise InputError(
            f"config key data.resize must be 0, or data.size's {min(data.size)} or above, "
            f"given {resize}"
        )


def check_folders(data):
    """Raise InputError where a `SceneData` section's folders, splits or ids will not do."""
    own = ("pictures", "labels", "classes")
    missing = [f"data.{name}" for name in own if not getattr(data, name)]
    if 0 < len(missing) < len(own) or (data.ignore and missing):
        given = [f"data.{name}" for name in (*own, "ignore") if getattr(data, name)]
        raise InputError(
            f"config key {missing[0]} is needed where {' and '.join(given)} "
            f"{'is' if len(given) == 1 else 'are'} given: a set of one's own states data.pictures, "
            "data.labels and data.classes, Cityscapes' folders none of them"
        )
    for name in ("pictures", "labels"):
        if getattr(data, name).startswith("/"):
            raise InputError(
                f"config key data.{name} is a path below data.root, given "
                f"{shown(getattr(data, name))}"
            )
    if ("{split}" in data.pictures) != ("{split}" in data.labels):
        raise InputError(
            "config keys data.pictures and data.labels both have {split}, or none of them, given "
            f"{shown(data.pictures)} and {shown(data.labels)}"
        )
    for name in ("train", "val"):
        if not getattr(data, name):
            raise InputError(f"config key data.{name} is the name of a split or a list, given ''")
    if not all(0 <= number < 2**24 for number in data.ignore):
        raise InputError(
            f"config key data.ignore: ids from 0 to 65535, colours to 0xFFFFFF, given "
            f"{list(data.ignore)}"
        )


def check_pixel_loss(hard_below, keep, auxiliary):
    """Raise InputError where `train.engine.pixel_loss.PixelLoss` does not take these."""
    for name, value in (("hard_below", hard_below), ("keep", keep)):
        if not 0 <= value <= 1:
            raise InputError(f"{name} is a share, from 0 to 1, given {value}")
    if keep and not hard_below:
        raise InputError(f"keep {keep} needs hard_below above 0, given {hard_below}")
    if auxiliary < 0:
        raise InputError(f"auxiliary must not be below 0, given {auxiliary}")


def check_start(model):
    """Raise InputError where a `model` section has options of weights to start from, and none."""
    if model.new_classifier and not model.pretrained:
        raise InputError("config key model.new_classifier needs model.pretrained, given none")


def above_0(values):
    """Raise InputError where one of the values, by their keys, is not above 0."""
    for key, value in values.items():
        if value <= 0:
            raise InputError(f"config key {key} must be above 0, given {value}")


def not_below_0(values):
    """Raise InputError where one of the values, by their keys, is below 0."""
    for key, value in values.items():
        if value < 0:
            raise InputError(f"config key {key} must not be below 0, given {value}")


def below_1(values):
    """Raise InputError where one of the values, by their keys, is not from 0 to below 1."""
    for key, value in values.items():
        if not 0 <= value < 1:
            raise InputError(f"config key {key} must be from 0 to below 1, given {value}")


def rising(ranges):
    """Raise InputError where one of the pairs, by their keys, falls or is not above 0."""
    for key, (low, high) in ranges.items():
        above_0({key: low})
        if low > high:
            raise InputError(f"config key {key} must rise, given [{low}, {high}]")


def one_of(key, value, allowed):
    """Raise InputError where a value is none of those allowed."""
    if value not in allowed:
        names = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
        raise InputError(f"config key {key} must be {names}, given {shown(value)}")
