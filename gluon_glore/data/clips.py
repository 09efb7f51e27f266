"""The parts of a video that a network sees: clips of frames in time, crops in space."""

from dataclasses import dataclass

import numpy as np

from ..utils import kinds
from ..utils.errors import InputError, shown
from .image import center_crop, resize_short

# Where crops lie (down, across) in a wide frame: 0 at the beginning, 1 in the middle, 2 at the end.
CROPS = {
    1: [(1, 1)],
    3: [(1, 0), (1, 1), (1, 2)],
    5: [(0, 0), (0, 2), (1, 1), (2, 0), (2, 2)],
}
_MOST = 10**6  # frames in a clip, and in its stride: half a day of video
CLIP_FIELDS = {
    "frames": kinds.whole(1, _MOST),
    "stride": kinds.whole(1, _MOST),
    "rate": kinds.number(0, _MOST),
}


@dataclass(frozen=True)
class Clip:
    """`frames` frames, each `stride` frames after the one before (paper, section 4.4: 8 by 8).

    With `rate` above 0, the stride counts frames of a video of `rate` frames a second: videos of
    other rates are seen at the same speed. With 0 it counts the video's own frames, as the released
    trainer does. A video that is shorter than the clip is looped. Raises InputError on a value that
    is out of range.
    """

    frames: int = 8
    stride: int = 8
    rate: float = 0.0

    def __post_init__(self):
        values = [getattr(self, name) for name in CLIP_FIELDS]
        if not all(kind.fits(value) for kind, value in zip(CLIP_FIELDS.values(), values)):
            raise InputError(
                f"a clip's frames and stride are whole numbers from 1 to {_MOST}, its rate is from "
                f"0 to {_MOST}, given {', '.join(map(shown, values))}"
            )

    @property
    def text(self) -> str:
        """Which frames of a video it has, in words: "8 frames, 3 apart, of 25 a second"."""
        rate = f", of {self.rate:g} a second" if self.rate else ""
        return f"{self.frames} frames, {self.stride} apart{rate}"

    def step(self, rate) -> float:
        """How many frames of a video of `rate` frames a second two frames of the clip are apart."""
        return self.stride * rate / self.rate if self.rate else self.stride

    def last_start(self, length, rate) -> int:
        """The first frame of the last clip that fits into `length` frames; 0 where none fits."""
        return max(0, length - 1 - round((self.frames - 1) * self.step(rate)))

    def indices(self, start, length, rate):
        """Numbers of the frames of the clip that begins at `start`, int `(frames,)`."""
        steps = np.rint(np.arange(self.frames) * self.step(rate)).astype(int)
        return (start + steps) % length

    def even_starts(self, count, length, rate):
        """The first frames of `count` clips, evenly over the video, int `(count,)`.

        The places where a clip can begin are cut into `count` equal parts, and each clip begins in
        the middle of one. All are 0 where the video is no longer than a clip.
        """
        last = self.last_start(length, rate)
        return (last * (2 * np.arange(count) + 1) // (2 * count)).astype(int)

    def random_start(self, length, rate, rng) -> int:
        """The first frame of a clip at a random place, drawn from the numpy Generator `rng`."""
        return int(rng.integers(self.last_start(length, rate) + 1))


def crop_views(picture, preprocess, crops=1):
    """The parts of a frame that a network sees: uint8 `(H, W, C)` -> `crops` x `(*size, C)`.

    The frame is resized as `preprocess` does. 1 crop is the centre, the same as `preprocess.crop`;
    3 are the beginning, middle and end of the longer side; 5 are the corners and the centre.
    Raises InputError where the frame is too small, or on another number of crops.
    """
    if crops not in CROPS:
        raise InputError(f"a frame is seen in {', '.join(map(str, CROPS))} crops, given {crops}")
    if preprocess.resize:
        picture = resize_short(picture, preprocess.resize)
    size = preprocess.size
    left_over = [old - new for old, new in zip(picture.shape, size)]
    if min(left_over) < 0:
        return [center_crop(picture, size)]  # raises InputError
    upright = picture.shape[0] > picture.shape[1]
    places = [place[::-1] if upright else place for place in CROPS[crops]]
    corners = [[free * half // 2 for free, half in zip(left_over, place)] for place in places]
    return [picture[top : top + size[0], left : left + size[1]] for top, left in corners]


def read_views(video, clip, preprocess, starts, crops=1, out=None):
    """The crops of clips that begin at `starts`: float32 `(len(starts) * crops, C, frames, *size)`.

    All crops of the first clip come first, in the order of `crop_views`. `video` is a
    `video.FramesByNumber`, `clip` a `Clip`, `preprocess` an `image.Preprocess`; `out` is written to
    where it is given. A frame that several clips share is read and resized once. Raises InputError
    where the video or `crop_views` does.
    """
    if out is None:
        shape = (len(starts) * crops, preprocess.channels, clip.frames, *preprocess.size)
        out = np.empty(shape, np.float32)
    seen = {}  # {number of a frame: [(its clip's first view, its time in the clip), ...]}
    for number, start in enumerate(starts):
        for time, index in enumerate(clip.indices(start, len(video), video.rate)):
            seen.setdefault(int(index), []).append((number * crops, time))
    for index, frame in video.frames(seen, preprocess.channels):
        (view, time), *others = seen[index]
        for crop, picture in enumerate(crop_views(frame, preprocess, crops)):
            # Channels are not neighbours in `out`, but each of them is contiguous.
            planes = preprocess.normalize(picture, out[view + crop, :, time])
            for other_view, other_time in others:
                out[other_view + crop, :, other_time] = planes
    return out
