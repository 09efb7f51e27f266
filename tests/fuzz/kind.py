"""What a kind of input is, and its case of a number."""

import random
from dataclasses import dataclass
from typing import Callable, Dict, Sequence, Union

MIB = 2**20

# The content of a file, or of the files of a folder by name.
Input = Union[bytes, Dict[str, bytes]]


@dataclass(frozen=True)
class Kind:
    """A kind of input, and what reads it.

    `seeds()` makes valid inputs, the same at every call. `mutate(rng, seeds)` makes a damaged one.
    `target(data, folder)` reads it as a user's command would; `folder` is empty, or holds what the
    case before left. It returns where the input is accepted, raises InputError where it is
    refused, and whatever else it raises is a fault.

    A case may take `memory` bytes and `seconds` of processor time, and wait for `wall` seconds. All
    cases together may leave `kept` bytes behind. Of a slow kind, one case in `share` is run.
    """

    seeds: Callable[[], Sequence[Input]]
    mutate: Callable[[random.Random, Sequence[Input]], Input]
    target: Callable
    memory: int = 16 * MIB
    kept: int = 64 * MIB
    seconds: float = 2.0
    wall: float = 30.0
    share: int = 1


def case(kind: Kind, name, seeds, seed, number) -> Input:
    """The input of a number: the same for the same kind, seed and number."""
    return kind.mutate(random.Random(f"{name} {seed} {number}"), seeds)
