"""What of a video a network sees: clips of frames in time, crops in space."""

from dataclasses import dataclass

import numpy as np

from .errors import InputError


@dataclass(frozen=True)
class Clip:
    """`frames` frames, each `stride` frames after the one before (paper, section 4.4: 8 by 8).

    With `rate` above 0 strides count frames of a video of so many frames a second: one of another
    rate is seen at the same speed. 0 takes frames as they come, as the released trainer does.
    A video that is shorter than the clip is looped. Raises InputError on a value that has no sense.
    """

    frames: int = 8
    stride: int = 8
    rate: float = 0.0

    def __post_init__(self):
        if min(self.frames, self.stride) < 1 or self.rate < 0:
            raise InputError(
                "a clip has at least 1 frame, a stride of at least 1 and a rate of at least 0, "
                f"given {self.frames}, {self.stride} and {self.rate:g}"
            )

    def step(self, rate) -> float:
        """Frames of a video of `rate` frames a second from one of the clip's to the next."""
        return self.stride * rate / self.rate if self.rate else self.stride

    def last_start(self, length, rate) -> int:
        """Where the last clip begins that fits into a video of `length` frames; 0 if none does."""
        return max(0, length - 1 - round((self.frames - 1) * self.step(rate)))

    def indices(self, start, length, rate):
        """The frames of the clip that begins at `start`, int `(frames,)`; looped at the end."""
        steps = np.rint(np.arange(self.frames) * self.step(rate)).astype(int)
        return (start + steps) % length

    def even_starts(self, count, length, rate):
        """Where `count` clips begin, in the middles of as many equal parts; of 1 it is the centre.

        int `(count,)`; alike where the video is no longer than a clip.
        """
        last = self.last_start(length, rate)
        return (last * (2 * np.arange(count) + 1) // (2 * count)).astype(int)

    def random_start(self, length, rate, rng) -> int:
        """Where a clip begins, each place alike, drawn from a numpy Generator."""
        return int(rng.integers(self.last_start(length, rate) + 1))
