"""What of a video a network sees: clips of frames in time, crops in space."""

import math
from dataclasses import dataclass

import numpy as np

from ..utils.errors import InputError
from .image import center_crop, resize_short

# Where crops lie, down and along the longer side, in halves of what is left over.
CROPS = {
    1: [(1, 1)],
    3: [(1, 0), (1, 1), (1, 2)],
    5: [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)],
}
_MOST = 10**6  # frames of a clip, and of its stride: half a day


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
        whole = all(type(n) is int and 1 <= n <= _MOST for n in (self.frames, self.stride))
        if not whole or not 0 <= self.rate < math.inf:
            raise InputError(
                f"a clip's frames and stride are whole numbers from 1 to {_MOST}, its rate is at "
                f"least 0, given {self.frames}, {self.stride} and {self.rate:g}"
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


def crop_views(picture, preprocess, crops=1):
    """The parts of a frame that a network sees: uint8 `(H, W, C)` -> `crops` x `(*size, C)`.

    The frame is resized as `preprocess` does. Of 1 the crop is the centre's, as `preprocess.crop`;
    of 3 they are even along the longer side, ends included; of 5 the corners' and the centre's.
    Raises InputError where the frame is too small, or on another number of crops.
    """
    if crops not in CROPS:
        raise InputError(f"a frame is seen in {', '.join(map(str, CROPS))} crops, given {crops}")
    if preprocess.resize:
        picture = resize_short(picture, preprocess.resize)
    size = preprocess.size
    left_over = [old - new for old, new in zip(picture.shape, size)]
    if min(left_over) < 0:
        return [center_crop(picture, size)]  # refuses it
    upright = picture.shape[0] > picture.shape[1]
    places = [place[::-1] if upright else place for place in CROPS[crops]]
    corners = [[free * half // 2 for free, half in zip(left_over, place)] for place in places]
    return [picture[top : top + size[0], left : left + size[1]] for top, left in corners]


def read_views(video, clip, preprocess, starts, crops=1, out=None):
    """Clips that begin at `starts`: float32 `(len(starts) * crops, C, frames, *size)`.

    The first clip's crops come first, as `crop_views` gives them; `out` is written to where given.
    `video` is a `video.Video` or has its interface, `clip` a Clip, `preprocess` an
    image.Preprocess. Each frame is read and resized once. Raises InputError as those do.
    """
    if out is None:
        shape = (len(starts) * crops, preprocess.channels, clip.frames, *preprocess.size)
        out = np.empty(shape, np.float32)
    seen = {}  # of each frame, where it goes: in which clip, at which time
    for number, start in enumerate(starts):
        for time, index in enumerate(clip.indices(start, len(video), video.rate)):
            seen.setdefault(int(index), []).append((number * crops, time))
    for index, frame in video.frames(seen, preprocess.channels):
        (view, time), *others = seen[index]
        for crop, picture in enumerate(crop_views(frame, preprocess, crops)):
            # Channels lie apart in `out`, each contiguous.
            planes = preprocess.normalize(picture, out[view + crop, :, time])
            for other_view, other_time in others:
                out[other_view + crop, :, other_time] = planes
    return out
