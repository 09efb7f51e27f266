"""What a `NetSpec` can't be: where its extra units, temporal kernels, dilations, head don't fit."""

import dataclasses

from ..utils.errors import InputError
from .extra_units import EXTRA_UNITS


def check_extras(spec):
    """Raise InputError where an extra unit can't stand where it is placed."""
    stages = range(2, 2 + len(spec.stages))
    seen = set()
    for extra in spec.extras:
        check_kind(extra.kind)
        if extra.stage not in stages:
            raise InputError(f"stage must be one of {list(stages)}, given {extra.stage}")
        blocks = spec.stages[extra.stage - 2].blocks
        if not 1 <= extra.after <= blocks:
            raise InputError(
                f"Res{extra.stage} has residual units 1 to {blocks}, "
                f"a {extra.kind} unit can't follow unit {extra.after}"
            )
        if (extra.stage, extra.after) in seen:
            raise InputError(
                f"only one extra unit can follow unit {extra.after} of Res{extra.stage}"
            )
        seen.add((extra.stage, extra.after))


def check_temporal(spec):
    """Raise InputError where temporal kernels are of no unit, or of none that can have them."""
    for number, stage in enumerate(spec.stages, start=2):
        if stage.temporal is None:
            continue
        if spec.ndim != 3 or not spec.bottleneck:
            raise InputError(
                f"Res{number}: temporal kernels need bottlenecks in 3 dimensions, "
                f"given {spec.ndim} dimensions and bottleneck={spec.bottleneck}"
            )
        if not set(stage.temporal) <= set(range(1, stage.blocks + 1)):
            raise InputError(
                f"Res{number} has residual units 1 to {stage.blocks}, "
                f"given temporal={stage.temporal}"
            )


def check_dilations(spec):
    """Raise InputError where dilations are out of range, or not one for each unit."""
    for number, stage in enumerate(spec.stages, start=2):
        if len(stage.dilations) != stage.blocks or min(stage.dilations) < 1:
            raise InputError(
                f"Res{number}: dilation is one number from 1 on, or one for each of its "
                f"{stage.blocks} units, given {stage.dilation}"
            )


def check_head(spec):
    """Raise InputError where a head does not fit the backbone."""
    if spec.head is None:
        return
    if spec.ndim != 2:
        raise InputError(f"a head that labels pixels needs 2 dimensions, given {spec.ndim}")
    stages = range(2, 2 + len(spec.stages))
    if spec.head.auxiliary and spec.head.auxiliary not in stages:
        raise InputError(
            f"head: auxiliary must be 0 or one of {list(stages)}, given {spec.head.auxiliary}"
        )


def check_kind(kind):
    """Raise InputError where there is no kind of extra unit so called."""
    if not isinstance(kind, str) or kind not in EXTRA_UNITS:
        raise InputError(f"unit kind must be one of {sorted(EXTRA_UNITS)}, given {kind!r}")


def check_extra(kind, options, both_paths=False):
    """Check what a user says of an extra unit: its kind, and names of options.

    `both_paths` says whether the network has two, so that GloRe units have that option. Raises
    InputError where there is no such kind or option.
    """
    check_kind(kind)
    known = {f.name for f in dataclasses.fields(EXTRA_UNITS[kind])}
    allowed = known - {
        "name",
        "in_channels",
        "ndim",
        "passing",
        "residual",
        "frames",
        "eps",
        "momentum",
    }
    if kind == "glore" and both_paths:
        allowed.add("both_paths")
    for option in options:
        if option not in allowed:
            raise InputError(f"a {kind} unit's options are {sorted(allowed)}, given {option!r}")
