"""Videos to what happens in them: the mean over clips along time and crops in space."""

import contextlib
import os
from dataclasses import dataclass
from typing import List, NamedTuple, Tuple

import numpy as np

from ..data.clips import CROPS, Clip
from ..data.video import Video
from ..export.inputs import clip_input
from ..utils.ahead import Ahead
from ..utils.errors import InputError
from ..weights.manifest import clip_of
from .classify import likeliest, softmax, top_fields
from .predictor import Predictor, Task, load_predictor


@dataclass(frozen=True)
class ClipViews:
    """The views of a video whose probabilities are averaged.

    `clips` clips lie evenly along the video. Of each the network sees `crops` crops: 1 is the
    centre, 3 lie along the longer side, 5 are the corners and the centre. `batch` views go through
    the network at once, at least those of one clip. Raises InputError where there are no such
    clips or crops.
    """

    clips: int = 10
    crops: int = 1
    batch: int = 4

    def __post_init__(self):
        if self.clips < 1 or self.crops not in CROPS:
            *few, last = CROPS
            raise InputError(
                f"{self.clips} clips in {self.crops} crops: at least 1 clip, crops "
                f"{', '.join(map(str, few))} or {last}"
            )


@dataclass(frozen=True)
class Moment:
    """What a clip shows, from `start` to `end` in seconds.

    `probabilities` is float32 `(classes,)`, the mean over its crops; `top` are the likeliest
    classes, `[(class name, probability), ...]`.
    """

    start: float
    end: float
    top: List[Tuple[str, float]]
    probabilities: np.ndarray


@dataclass(frozen=True)
class Recognition:
    """What a video of `seconds` shows, as a whole and in its `moments`, which are in order of time.

    `top` and `probabilities` are those of a `Moment`, the mean over all clips. A video too short
    for different clips has fewer moments than clips were asked for.
    """

    seconds: float
    top: List[Tuple[str, float]]
    probabilities: np.ndarray
    moments: Tuple[Moment, ...]


class Part(NamedTuple):
    """Some clips of a video as the network takes them: `views` is `(clips * crops, ...)`.

    `spans` has the (start, end) of each clip in seconds, `times` how often it counts in the mean.
    """

    seconds: float
    spans: List[Tuple[float, float]]
    times: np.ndarray
    views: np.ndarray


class Recognizer(Predictor):
    """A network of videos: `network` maps a batch of views to logits `(B, classes)`.

    The batch is float32 `(B, C, T, H, W)`, or uint8, `(B, T, H, W, C)` or as its deployment's
    layout says, where the network normalizes pixels itself.
    """

    required_task = Task.RECOGNIZE

    @property
    def clip(self) -> Clip:
        """Which frames of a video a clip has."""
        return clip_of(self.manifest)

    def watch(self, video, clips=10, crops=1, top=5, batch=4) -> Recognition:
        """What a video shows, the mean over the views that `ClipViews(clips, crops, batch)` has.

        `video` is a path or a `Video`, `top` how many classes are listed. Raises InputError, naming
        the file of a path, where it can't be read, and where the network's outputs are not finite.
        """
        try:
            return self.finish(self.begin(video, ClipViews(clips, crops, batch)), top)
        except InputError as error:
            if isinstance(video, (str, os.PathLike)):
                raise InputError(f"{video}: {error}") from None
            raise

    def begin(self, video, views) -> Ahead:
        """Begin to read a video in a thread, one `Part` ahead of the caller.

        Returns an iterator over the parts, for `finish`. It raises InputError where the video can't
        be read. Its `stop` ends the reading before the last part.
        """
        # A part is read as it is asked for, so that there is no work beyond asking.
        return Ahead(lambda part: part, self.parts(video, views), threads=1, ahead=1)

    def finish(self, parts, top=5) -> Recognition:
        """What a video shows, given the parts that `begin` returned.

        Raises InputError as `watch` does, without the file's name.
        """
        try:
            return self.recognize(parts, top)
        finally:
            parts.stop()

    def parts(self, video, views):
        """Yield the `Part`s of a video; clips that begin at the same frame are read once.

        `video` is a path or a `FramesByNumber`. Raises InputError where it can't be read.
        """
        at_once = max(1, views.batch // views.crops)
        with contextlib.ExitStack() as stack:
            if isinstance(video, (str, os.PathLike)):
                video = stack.enter_context(Video(video))
            length, rate = len(video), video.rate
            starts = self.clip.even_starts(views.clips, length, rate)
            starts, times = np.unique(starts, return_counts=True)
            for i in range(0, len(starts), at_once):
                part = slice(i, i + at_once)
                spans = [self._span(start, length, rate) for start in starts[part]]
                inputs = clip_input(self.manifest, self.clip, video, starts[part], views.crops)
                yield Part(length / rate, spans, times[part], inputs)

    def recognize(self, parts, top=5) -> Recognition:
        """What a video shows, given its `parts`, one or more.

        Raises InputError where the network's outputs are not finite, and what `parts` raises.
        """
        names = self.manifest.class_names
        moments, times, seconds = [], [], 0.0
        for part in parts:
            by_view = softmax(self.network(part.views))
            by_clip = by_view.reshape(len(part.spans), -1, by_view.shape[1]).mean(axis=1)
            moments += [
                Moment(*span, likeliest(probabilities, names, top), probabilities)
                for span, probabilities in zip(part.spans, by_clip)
            ]
            times += list(part.times)
            seconds = part.seconds
        mean = np.average([m.probabilities for m in moments], axis=0, weights=times)
        mean = mean.astype(np.float32)
        return Recognition(seconds, likeliest(mean, names, top), mean, tuple(moments))

    def _span(self, start, length, rate):
        """(start, end) of a clip in seconds, of a video of `length` frames."""
        frames = round((self.clip.frames - 1) * self.clip.step(rate)) + 1
        return float(start / rate), float(min(start + frames, length) / rate)


def load_recognizer(
    model, weights=None, class_names=None, runtime=None, preprocess=None, signature=None
) -> Recognizer:
    """Load a network of videos as `load_predictor` does.

    Raises InputError where it can't be loaded, or does not watch videos.
    """
    predictor = load_predictor(model, weights, class_names, runtime, preprocess, signature)
    return Recognizer.of(predictor)


def moment_fields(moments):
    """Moments as `predict` and `serve` write them in JSON: a list of dictionaries."""
    return [
        {"start": round(m.start, 3), "end": round(m.end, 3), "top": top_fields(m.top)}
        for m in moments
    ]
