"""Which units of a network must stay in float32 for its outputs to stay what they are."""

import math
from dataclasses import dataclass, field
from typing import Dict, Tuple

GROUPS = 32  # that are measured at first, at most: each takes a run


@dataclass(frozen=True)
class Choice:
    """The units that stay in float32, and the error of the outputs with the others lowered.

    `effects` is the error that each unit made alone, of those for which it had to be measured.
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

    Of more than `GROUPS` units, neighbours are chosen together first, and those of the groups that
    stay then in groups of half the size, down to single ones: where few units are bad, few of the
    others are ever run alone.
    """
    units = tuple(units)
    error = error_of(())
    if error <= limit:
        return Choice((), error)
    choice, size = Choice(units, 0.0), -(-len(units) // GROUPS)
    while True:
        kept = choice.float32
        groups = [kept[start : start + size] for start in range(0, len(kept), size)]
        choice = _choose_groups(units, groups, error_of, limit, choice)
        if size == 1 or not choice.float32:
            return choice
        size = -(-size // 2)


def _choose_groups(units, groups, error_of, limit, otherwise):
    """The `Choice` of those of `groups` that stay, `otherwise` where all of them must."""
    effects = {group: error_of(tuple(u for u in units if u not in group)) for group in groups}
    ranked = sorted(groups, key=effects.get, reverse=True)
    single = {group[0]: effect for group, effect in effects.items() if len(group) == 1}
    best = Choice(otherwise.float32, otherwise.error, single)
    too_few, enough = 0, len(groups)
    count = _predicted([effects[group] for group in ranked], limit)
    while enough - too_few > 1:
        count = min(max(count, too_few + 1), enough - 1)
        kept = {unit for group in ranked[:count] for unit in group}
        float32 = tuple(unit for unit in units if unit in kept)
        error = error_of(float32)
        if error <= limit:
            enough, best = count, Choice(float32, error, single)
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
