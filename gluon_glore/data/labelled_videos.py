"""Videos that a network is scored on: found, and its accuracy on them over several clips."""

import os
import time
from dataclasses import dataclass
from typing import Optional

import numpy as np

from ..utils.errors import InputError
from .accuracy import places
from .clips import read_views
from .in_turn import in_turn


@dataclass(frozen=True)
class VideoSource:
    """Where labelled videos are: `path` and `root` as `Videos` takes them."""

    path: str
    root: str = ""


def video_source(source) -> VideoSource:
    """A `VideoSource` as it is, or that of a path. Raises InputError for several."""
    if isinstance(source, VideoSource):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(f"{', '.join(map(str, source))}: one source of videos is taken")
    return VideoSource(os.fspath(source))


@dataclass(frozen=True)
class VideoAccuracy:
    """Shares of `samples` videos; `top5` is None where there are five classes or fewer.

    Of each video the network saw `clips` clips in `crops` crops. `bad_records` could not be read
    and are not among the samples. Decoding counts in `videos_per_second`.
    """

    top1: float
    top5: Optional[float]
    clips: int
    crops: int
    samples: int
    bad_records: int
    videos_per_second: float


def measure_videos(
    network, videos, preprocess, clip, clips=10, crops=1, batch=8, threads=2, max_bad=0.01
) -> VideoAccuracy:
    """The accuracy of a network on all videos of a `Videos`, each seen once.

    A video's probabilities are the mean over `clips` clips, evenly in time, in `crops` crops each
    (paper, section 4.4). `network(x)` maps up to `batch` views float32 `(B, C, T, H, W)` to logits
    `(B, classes)`, numpy both. `threads` decode. Bad videos are named on stderr and left out.
    Raises InputError where they are more than the share `max_bad`, and where logits are not finite.
    """

    def read(i):
        label = videos.label(i)
        with videos.open(i) as video:
            starts = clip.even_starts(clips, len(video), video.rate)
            return read_views(video, clip, preprocess, starts, crops), label

    best, among_five, samples, bad = 0, 0, 0, []
    classes, started = len(videos.class_names), time.perf_counter()
    for read_videos in in_turn(videos, read, bad, 1, threads, max_bad, "video"):
        for views, label in read_videos:
            parts = range(0, len(views), batch)
            total = sum(_probabilities(network(views[i : i + batch])).sum(axis=0) for i in parts)
            place = int(places(total[None], [label])[0])
            best, among_five, samples = best + (place < 1), among_five + (place < 5), samples + 1
    seconds = time.perf_counter() - started
    top5 = among_five / samples if classes > 5 else None
    return VideoAccuracy(best / samples, top5, clips, crops, samples, len(bad), samples / seconds)


def _probabilities(logits):
    """The softmax of logits, float64 `(B, classes)`. Raises InputError where one is not finite."""
    if not np.isfinite(logits).all():
        raise InputError("logits are not finite: the network's weights are no good")
    logits = logits.astype(np.float64)
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)
