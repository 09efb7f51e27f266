"""What `insert_units` is told about places, as blocks of a network."""

import difflib
from collections.abc import Mapping, Sequence

from ..utils.errors import InputError
from ..utils.kinds import listed, whole
from .stages import stages_of

SHOWN = 12  # names in a message


def find_places(after, traced):
    """The paths of the blocks that units are to follow, in the network's order.

    `after` is as `insert_units` takes it, `traced` a `Trace`. Raises InputError where it names no
    block, or a block twice.
    """
    found = sorted(_Places(traced).find(after), key=list(traced.blocks).index)
    if not found:
        given = "the function" if callable(after) else repr(after)
        raise InputError(f"after: {given} names no block of {traced.name}")
    blocks = [traced.blocks[path] for path in found]
    for path, block in zip(found, blocks):
        if blocks.count(block) > 1:
            raise InputError(f"{path} is named twice, one unit can follow it")
    return found


class _Places:
    def __init__(self, traced):
        self._traced = traced
        self._stages = stages_of(traced)

    def find(self, after):
        """The paths of the blocks that `after` means, in its order."""
        if isinstance(after, str):
            return [self._locate(after)[0]]
        if isinstance(after, Mapping):
            parts = (self._numbered(place, chosen) for place, chosen in after.items())
        elif isinstance(after, Sequence):
            parts = map(self.find, after)
        elif callable(after):
            paths = {block: path for path, block in reversed(self._traced.blocks.items())}
            parts = [[path for block, path in paths.items() if after(block)]]
        else:
            raise InputError(
                "after must be a path, a stage, a prefix, {place: numbers}, a function of a block, "
                f"or a list of these, given {after!r}"
            )
        return [path for part in parts for path in part]

    def _locate(self, place):
        """The path of what a path, a prefix or a stage means, and those of the blocks in it."""
        path = self._traced.find(place)
        if path:
            return path, self._traced.sequence(path)
        if place in self._stages:
            return self._stages[place]
        known = [*self._stages, *self._traced.blocks]
        close = difflib.get_close_matches(str(place), known, n=3, cutoff=0.5)
        names = close or [name for name in known if "." not in name][:SHOWN]
        raise InputError(
            f"{self._traced.name} has no block {place!r}, "
            f"{'closest' if close else 'it has'}: {', '.join(names)}"
        )

    def _numbered(self, place, chosen):
        """The paths of the blocks of a place that are chosen by number, from 1."""
        path, blocks = self._locate(place)
        if blocks is None:
            raise InputError(f"{path} is no sequence of blocks: give {path!r} without numbers")
        listed(whole(1, len(blocks), "the number of a block")).check(chosen, f"after[{place!r}]")
        return [blocks[number - 1] for number in chosen]
