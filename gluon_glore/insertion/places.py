"""What `insert_units` is told about places, as blocks of a network."""

import difflib
import numbers
import re
from collections.abc import Mapping, Sequence

from mxnet.gluon import nn

from ..plan.units import EXTRA_UNITS
from ..utils.errors import InputError
from .stages import FIRST, STAGES, flat_stage

SHOWN = 12  # names in a message


def find_places(after, traced):
    """The paths of the blocks that units are to follow, in the network's order.

    `after` is as `insert_units` takes it, `traced` a `Trace`. Raises InputError where it means no
    block, or a block twice.
    """
    found = _find(after, traced)
    if not found:
        raise InputError(f"after={after!r} names no place for a unit")
    order = list(traced.blocks)
    found.sort(key=order.index)
    for path, next_path in zip(found, found[1:]):
        if path == next_path:
            raise InputError(f"only one unit can follow {path}, it is named twice")
    return found


def _find(after, traced):
    if isinstance(after, str):
        return [_find_block(after, traced)]
    if isinstance(after, Mapping):
        return [
            path
            for place, chosen in after.items()
            for path in _numbered(_blocks_in(place, traced), chosen, place)
        ]
    if isinstance(after, Sequence):
        return [path for part in after for path in _find(part, traced)]
    if callable(after):
        blocks = {block: path for path, block in reversed(traced.blocks.items()) if after(block)}
        return list(blocks.values())
    raise InputError(
        f"after must be a path, a stage, a parameter prefix, {{place: numbers}}, a function of a "
        f"block, or a list of these, given {after!r}"
    )


def _numbered(blocks, chosen, place):
    """Those of some blocks that are chosen by number, from 1."""
    if not isinstance(chosen, Sequence) or isinstance(chosen, str):
        raise InputError(f"the blocks of {place} are chosen by numbers, as (1, 3), given {chosen!r}")
    for number in chosen:
        if not isinstance(number, numbers.Integral) or not 1 <= number <= len(blocks):
            raise InputError(
                f"{place} has blocks 1 to {len(blocks)}, a unit can't follow block {number!r}"
            )
    return [blocks[number - 1] for number in chosen]


def _find_block(place, traced):
    """The path of the block that a path, a stage or a prefix means."""
    path = _path(place, traced) or _stage(place, traced)
    if path:
        return path
    flat = _flat_stage(place, traced)
    if flat:
        return flat[-1]
    raise _no_block(place, traced)


def _blocks_in(place, traced):
    """The paths of the blocks in a stage or in a sequence of blocks."""
    path = _path(place, traced) or _stage(place, traced)
    if not path:
        flat = _flat_stage(place, traced)
        if flat:
            return flat
        raise _no_block(place, traced)
    block = traced.blocks[path]
    if not isinstance(block, nn.HybridSequential):
        raise InputError(
            f"{path} is a {type(block).__name__}, its blocks have no numbers: give the path "
            f"{path!r} alone"
        )
    return [f"{path}.{name}" for name in block._children if name not in EXTRA_UNITS]


def _path(place, traced):
    """The path of a block by its path, or by the prefix of its parameters; None where none is."""
    if place in traced.blocks:
        return place
    names = {f"{prefix}{place}".rstrip("_") + "_" for prefix in ("", traced.net.prefix)}
    # The first is the outermost: blocks inside it may have no prefix of their own.
    return next((path for path, block in traced.blocks.items() if block.prefix in names), None)


def _stage(place, traced):
    """The path of a stage called "res4", None where it is not such a name or the network's."""
    number = _stage_number(place)
    for row in STAGES:
        if number and _path(row[0], traced):
            return _path(row[number - FIRST], traced)
    return None


def _flat_stage(place, traced):
    """The paths of the blocks of "res4" in a flat network."""
    number = _stage_number(place)
    return flat_stage(traced, number) if number else []


def _stage_number(place):
    match = re.fullmatch("res([2-5])", place)
    return int(match[1]) if match else None


def _no_block(place, traced):
    close = difflib.get_close_matches(str(place), traced.blocks, n=3, cutoff=0.5)
    top = [path for path in traced.blocks if "." not in path]
    known = ", ".join(close or top[:SHOWN])
    return InputError(
        f"{traced.net.name} has no block {place!r}, {'closest' if close else 'it has'}: {known}"
    )
