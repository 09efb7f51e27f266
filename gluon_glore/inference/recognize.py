"""Videos to what happens in them: clips along time, crops in space, the mean of what they say."""

import contextlib
import os
import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Callable, List, NamedTuple, Tuple

import numpy as np

from ..data.clips import CROPS, Clip, read_views
from ..data.video import Video
from ..utils.errors import InputError
from ..weights.manifest import Manifest, clip_of
from .classify import likeliest, softmax
from .predictor import DOES, load_ready

_END = object()


@dataclass(frozen=True)
class Moment:
    """What a clip shows, from `start` to `end` in seconds: its first classes, and all's share.

    `top` is `[(class name, probability), ...]`, `probabilities` float32 `(classes,)`, the mean of
    its crops'.
    """

    start: float
    end: float
    top: List[Tuple[str, float]]
    probabilities: np.ndarray


@dataclass(frozen=True)
class Recognition:
    """What a video of `seconds` shows: over all of it, and its `moments` in the order of time.

    `top` and `probabilities` as a moment's, the mean of all clips'. A video too short for different
    clips has fewer moments than clips were asked for.
    """

    seconds: float
    top: List[Tuple[str, float]]
    probabilities: np.ndarray
    moments: Tuple[Moment, ...]


class Part(NamedTuple):
    """Some clips of a video as the network takes them: `views` `(clips * crops, ...)`.

    Of each clip `spans` has (start, end) in seconds, `times` how often it counts.
    """

    seconds: float
    spans: List[Tuple[float, float]]
    times: np.ndarray
    views: np.ndarray


@dataclass(frozen=True)
class Recognizer:
    """A network of videos ready to use: `network` maps views, stacked, to logits.

    Arrays are numpy's: `(B, C, T, H, W)` float32, or `(B, T, H, W, C)` uint8 for a network that
    does the normalising itself, to `(B, classes)`. `runtime` says what runs it.
    """

    network: Callable[[np.ndarray], np.ndarray]
    manifest: Manifest
    runtime: str = "mxnet"

    @property
    def clip(self) -> Clip:
        """Which frames a clip has."""
        return clip_of(self.manifest)

    def watch(self, video, clips=10, crops=1, top=5, batch=4) -> Recognition:
        """What a video shows: of `clips` clips evenly along it, each seen in `crops` crops.

        `video` is a path or a `Video`; 1 crop is the centre, 3 lie along the longer side, 5 are
        corners and centre. `batch` views at once, at least one clip's. Raises InputError, naming
        the file of a path, where it can't be read, and where the network's outputs are not finite.
        """
        try:
            return self.finish(self.begin(video, clips, crops, batch), top)
        except InputError as error:
            if isinstance(video, (str, os.PathLike)):
                raise InputError(f"{video}: {error}") from None
            raise

    def begin(self, video, clips=10, crops=1, batch=4):
        """The `Part`s of a video for `finish`, read in a thread, one ahead: it begins at once.

        Raises InputError where there are no such clips or crops; the parts, as they come, where the
        video can't be read.
        """
        if clips < 1 or crops not in CROPS:
            raise InputError(
                f"{clips} clips in {crops} crops: at least 1 clip, crops {_listed([*CROPS])}"
            )
        return _Ahead(self._parts(video, clips, crops, max(1, batch // crops)))

    def finish(self, parts, top=5) -> Recognition:
        """What a video shows, of its parts. Raises InputError as `watch`, without the name."""
        names = self.manifest.class_names
        moments, times, seconds = [], [], 0.0
        for part in parts:
            seen = softmax(self.network(part.views))
            seen = seen.reshape(len(part.spans), -1, seen.shape[1]).mean(axis=1)
            tops = (likeliest(probabilities, names, top) for probabilities in seen)
            moments += [Moment(*span, *rest) for span, *rest in zip(part.spans, tops, seen)]
            times += list(part.times)
            seconds = part.seconds
        mean = np.average([m.probabilities for m in moments], axis=0, weights=times)
        mean = mean.astype(np.float32)
        return Recognition(seconds, likeliest(mean, names, top), mean, tuple(moments))

    def _parts(self, video, clips, crops, at_once):
        """Yield `Part`s of `at_once` clips; clips that begin at one place are read once."""
        with contextlib.ExitStack() as stack:
            if isinstance(video, (str, os.PathLike)):
                video = stack.enter_context(Video(video))
            length, rate = len(video), video.rate
            starts = self.clip.even_starts(clips, length, rate)
            starts, times = np.unique(starts, return_counts=True)
            for i in range(0, len(starts), at_once):
                part = slice(i, i + at_once)
                views = self._views(video, starts[part], crops)
                spans = [self._span(start, length, rate) for start in starts[part]]
                yield Part(length / rate, spans, times[part], views)

    def _views(self, video, starts, crops):
        preprocess, deployment = self.manifest.preprocess, self.manifest.deployment
        if not (deployment and deployment.takes_pictures):
            return read_views(video, self.clip, preprocess, starts, crops)
        as_they_are = replace(preprocess, mean=(0.0,) * preprocess.channels, scale=1.0)
        views = read_views(video, self.clip, as_they_are, starts, crops)
        return np.moveaxis(views.astype(np.uint8), 1, -1)

    def _span(self, start, length, rate):
        """Begin and end of a clip in seconds."""
        frames = round((self.clip.frames - 1) * self.clip.step(rate)) + 1
        return float(start / rate), float(min(start + frames, length) / rate)


class _Ahead:
    """Iterates over `items`; the next one is made while that before is in use, the first now.

    In daemon threads, one after the other: none that waits for a pipe holds up the end of the
    process.
    """

    def __init__(self, items):
        self._items = iter(items)
        self._next = _in_thread(next, self._items, _END)

    def __iter__(self):
        return self

    def __next__(self):
        item = self._next.result()
        if item is _END:
            raise StopIteration
        self._next = _in_thread(next, self._items, _END)
        return item


def _in_thread(function, *arguments):
    future = Future()

    def run():
        try:
            future.set_result(function(*arguments))
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _listed(numbers):
    return ", ".join(map(str, numbers[:-1])) + f" or {numbers[-1]}"


def load_recognizer(model, weights=None, class_names=None, runtime=None) -> Recognizer:
    """A `load_ready` network that watches videos. Raises InputError where it can't be had."""
    ready = load_ready(model, weights, class_names, runtime)
    if not ready.watches:
        raise InputError(f"{ready.manifest.model} {ready.does}: give a network that {DOES[2]}")
    return Recognizer(*ready)
