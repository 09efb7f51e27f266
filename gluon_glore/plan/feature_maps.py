"""The feature maps that a network gives besides its logits: what stands behind each stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Tuple

from ..utils.errors import InputError, shown

# How every spelling calls the operator that gives the result of a unit, by its kind.
RESULTS = {"residual": "sum", "dual_path": "join", "glore": "sum", "nonlocal": "sum"}


@dataclass(frozen=True)
class FeatureMap:
    """What stage `name` gives: `(B, channels, *space)`, `strides` pixels a location and dimension.

    It stands behind the last unit of the stage, an extra unit that follows the last residual one
    included. These networks are pre-activation: the maps are sums with no BatchNorm and ReLU behind
    them, but for that of the last stage (`normalized`), which has those that the classifier's
    features have, the tail's. `place` counts the layers up to it, from the plan's first unit on.
    `output` is its name in a symbol, as `symbol.get_internals()[output]`, traced or hand-spelled.
    There it has time in the batch axis where `frames` T is above 0: `(T·B, channels, H, W)`, the
    first frame of every clip first.
    """

    name: str
    channels: int
    strides: Tuple[int, ...]
    normalized: bool
    place: int
    output: str
    frames: int = 0


def feature_maps(spec) -> Dict[str, FeatureMap]:
    """The feature maps of a `NetSpec` by name, "res2" and on."""
    units = enumerate(spec.plan_by_stage(), start=1)
    ends = {stage: (place, unit) for place, (stage, unit) in units}  # the last unit of each
    last = max(ends)
    maps = (
        FeatureMap(
            f"res{stage}",
            spec.stage_channels(stage),
            spec.stride_at(stage),
            stage == last,
            place + (stage == last),
            f"{spec.names[2]}__ac_output" if stage == last else f"{_result(unit)}_output",
            spec.frames_at(stage),
        )
        for stage, (place, unit) in ends.items()
    )
    return {row.name: row for row in maps}


def _result(unit):
    """The name of the operator that gives the result of a unit of the plan."""
    if getattr(unit, "passing", 0):  # its channels and those that pass it by, joined
        return f"{unit.name}_path_join"
    return f"{unit.name}_{RESULTS[unit.kind]}"


def chosen_maps(spec, features) -> Tuple[FeatureMap, ...]:
    """The `FeatureMap` of each of the names `features`.

    Raises InputError where there are none, or one is of no stage or given twice.
    """
    known = spec.feature_maps
    names = tuple(features) if isinstance(features, (list, tuple)) else ()
    others = [name for name in names if name not in list(known)]
    if not names or others or len(set(names)) < len(names):
        raise InputError(
            f"features of {spec.name} are one or more of {', '.join(known)}, each once, as "
            f'("{list(known)[-1]}",); given {shown(features)}'
        )
    return tuple(known[name] for name in names)
