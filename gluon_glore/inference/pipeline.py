"""Many pictures or videos put to a network: read ahead by several threads, answered in order."""

import collections
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from ..data.sources import Place
from ..utils.ahead import Ahead
from ..utils.errors import InputError
from .recognize import Moment


@dataclass(frozen=True)
class Answer:
    """The first classes of a picture or video, `[(class name, number), ...]`, or an `error`.

    `figure` names the number: "probability", or "share" of the picture's pixels. `files` are those
    written for the picture, by kind. The answer for a whole video has its length in `seconds`, and
    its `moments`.
    """

    place: Place
    top: List[Tuple[str, float]]
    error: Optional[InputError] = None
    figure: str = "probability"
    files: Dict[str, Path] = field(default_factory=dict)
    seconds: Optional[float] = None
    moments: Tuple[Moment, ...] = ()


def classify_items(classifier, items, top=5, batch=8, workers=2):
    """Yield an `Answer` for each of the `items` (sources.Item), in order.

    `workers` threads read and prepare pictures, at most two batches ahead. Up to `batch` pictures
    that are there go through the network at once: those of a slow stream don't wait for others.
    """

    def prepare(item):
        return classifier.prepare(item.read(classifier.channels))

    for ready in _batches(items, prepare, workers, batch):
        inputs = [x for _, x in ready if not isinstance(x, InputError)]
        logits = iter(classifier.logits(inputs) if inputs else ())
        for place, prepared in ready:
            try:
                if isinstance(prepared, InputError):
                    raise prepared
                yield Answer(place, classifier.best(next(logits), top))
            except InputError as error:
                yield Answer(place, [], error)


def segment_items(segmenter, items, folder, views, top=5, workers=2):
    """Yield an `Answer` for each of the `items` (sources.Item), in order, its files written.

    `folder` is a `LabelMapFolder`, `views` a `segment.Views`. `workers` threads read pictures, at
    most two ahead.
    """

    def read(item):
        return item.read(segmenter.channels)

    for [(place, picture)] in _batches(items, read, workers, batch=1):
        try:
            if isinstance(picture, InputError):
                raise picture
            name = folder.name(place)
            classes = segmenter.classes(picture, views)
            files = folder.write(name, picture, classes)
            largest = segmenter.largest(classes, top)
        except InputError as error:
            yield Answer(place, [], error)
        else:
            yield Answer(place, largest, figure="share", files=files)


def recognize_videos(recognizer, places, views, top=5, folder=None, workers=2):
    """Yield an `Answer` for each video of the `places`, in order.

    `views` is a `ClipViews`; where a `folder`, a `StripFolder`, is given, each video's strip is
    written into it. `workers` videos are read at once, each a batch ahead at most.
    """
    begun = collections.deque()
    waiting = iter(places)
    try:
        while True:
            for place in itertools.islice(waiting, workers - len(begun)):
                begun.append((place, recognizer.begin(place.file, views)))
            if not begun:
                return
            place, parts = begun.popleft()
            try:
                seen = recognizer.finish(parts, top)
                files = folder.write(place, seen) if folder else {}
            except InputError as error:
                yield Answer(place, [], error)
            else:
                fields = {"files": files, "seconds": seen.seconds, "moments": seen.moments}
                yield Answer(place, seen.top, **fields)
    finally:
        for _, parts in begun:
            parts.stop()


def _batches(items, work, workers, batch):
    """Yield lists of (place, `work(item)` or its InputError), in the order of the items.

    A list has those of the next `batch` items that have come by then. At most 2 * `batch` items are
    worked on ahead. Other errors of the work, and those of asking for an item, are raised here.
    """

    def attempt(item):
        try:
            return item.place, work(item)
        except InputError as error:
            return item.place, error

    ahead = Ahead(attempt, items, workers, 2 * batch)
    try:
        while futures := ahead.take(batch):
            yield [future.result() for future in futures]
    finally:
        ahead.stop()
