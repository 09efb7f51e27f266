"""Which units of a network must stay in float32 for its outputs to stay what they are."""

import math
from dataclasses import dataclass, field
from typing import Dict, Tuple


@dataclass(frozen=True)
class Choice:
    """The units that stay in float32, and the error of the outputs with the others lowered.

    `effects` is the error that each unit made alone, empty where none had to be measured.
    """

    float32: Tuple[str, ...]
    error: float
    effects: Dict[str, float] = field(default_factory=dict)


def choose_float32(units, error_of, limit):
    """The `Choice` that lowers the most of `units` with an error of at most `limit`.

    `error_of(float32)` is the error of the outputs with these units in float32 and the others
    lowered. The error of each unit alone is measured, and the worst stay in float32. Were errors
    independent, the sum of their squares would say how many must; as a network may magnify them,
    the number is found by bisection, running it. All units stay where no other choice is good
    enough.
    """
    units = tuple(units)
    error = error_of(())
    if error <= limit:
        return Choice((), error)
    effects = {unit: error_of(tuple(u for u in units if u != unit)) for unit in units}
    ranked = sorted(units, key=effects.get, reverse=True)
    best = Choice(units, 0.0, effects)
    too_few, enough = 0, len(units)
    count = _predicted([effects[unit] for unit in ranked], limit)
    while enough - too_few > 1:
        count = min(max(count, too_few + 1), enough - 1)
        kept = set(ranked[:count])
        float32 = tuple(unit for unit in units if unit in kept)
        error = error_of(float32)
        if error <= limit:
            enough, best = count, Choice(float32, error, effects)
        else:
            too_few = count
        count = (too_few + enough) // 2
    return best


def _predicted(effects, limit):
    """How many of the largest effects must go, were they independent, to keep within the limit."""
    for count in range(len(effects)):
        if math.hypot(*effects[count:]) <= limit:
            return count
    return len(effects)
