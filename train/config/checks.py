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
