"""The spec of a network of clips that keeps an axis for time inside."""

import dataclasses
from dataclasses import dataclass

from .spec import NetSpec


@dataclass(frozen=True)
class TimeAxisSpec(NetSpec):
    """A network that computes on five axes: names, shapes and numbers of one of `clip_frames`."""

    @property
    def clip_frames(self) -> int:
        """0: time has an axis."""
        return 0


def with_time_axis(spec: NetSpec) -> TimeAxisSpec:
    """The spec of the same network with an axis for time inside, whatever its kernels."""
    return TimeAxisSpec(**{f.name: getattr(spec, f.name) for f in dataclasses.fields(spec)})
