"""Many pictures or videos put to a network: read by several threads, answered in order."""

import collections
import contextlib
import itertools
import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from ..data.sources import Place
from ..utils.errors import InputError
from .recognize import Moment

_END = object()


@dataclass(frozen=True)
class Answer:
    """The first classes of a picture or video, `(name, figure)` each, or why there are none.

    `figure` says what is told of them: their probability, or their share of the picture. `files`
    are those that were written of it, by kind. A video that was watched as a whole has its length
    in `seconds` and `moments`.
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

    `workers` threads read and prepare pictures, at most two batches ahead. A batch is what is ready
    to be had, up to `batch` pictures: those of a slow stream don't wait for others.
    """

    def prepare(item):
        return classifier.prepare(item.read(classifier.channels))

    for ahead in _batches_ahead(items, prepare, workers, batch):
        outcomes = [(place, _outcome(future)) for place, future in ahead]
        inputs = [x for _, x in outcomes if not isinstance(x, InputError)]
        logits = iter(classifier.logits(inputs) if inputs else ())
        for place, outcome in outcomes:
            try:
                if isinstance(outcome, InputError):
                    raise outcome
                yield Answer(place, classifier.best(next(logits), top))
            except InputError as error:
                yield Answer(place, [], error)


def segment_items(segmenter, items, folder, views, top=5, workers=2):
    """Yield an `Answer` for each of the `items` (sources.Item), in order, its files written.

    `folder` is a `PaintedFolder`, `views` a `segment.Views`. `workers` threads read pictures, at
    most two ahead.
    """

    def read(item):
        return item.read(segmenter.channels)

    for ahead in _batches_ahead(items, read, workers, 1):
        for place, future in ahead:
            try:
                picture, name = future.result(), folder.name(place)
                classes = segmenter.classes(picture, views)
                files = folder.write(name, picture, classes)
                largest = segmenter.largest(classes, top)
            except InputError as error:
                yield Answer(place, [], error)
            else:
                yield Answer(place, largest, None, "share", files)


def recognize_videos(recognizer, places, look, top=5, folder=None, workers=2):
    """Yield an `Answer` for each video of the `places`, in order, its strip written to `folder`.

    `look` are `Recognizer.begin`'s clips, crops and batch, `folder` a `StripFolder` or None.
    `workers` videos are read at once, each a batch ahead at most.
    """
    begun = collections.deque()
    waiting = iter(places)
    while True:
        for place in itertools.islice(waiting, workers - len(begun)):
            begun.append((place, recognizer.begin(place.file, **look)))
        if not begun:
            return
        place, parts = begun.popleft()
        try:
            seen = recognizer.finish(parts, top)
            files = folder.write(place, seen) if folder else {}
        except InputError as error:
            yield Answer(place, [], error)
        else:
            told = {"files": files, "seconds": seen.seconds, "moments": seen.moments}
            yield Answer(place, seen.top, **told)


def _outcome(future):
    try:
        return future.result()
    except InputError as error:
        return error


def _batches_ahead(items, work, workers, batch):
    """Yield lists of (place, future of `work(item)`), in the order of the items.

    One thread asks for the items, `workers` do the work: daemons all, so that none that waits for a
    pipe holds up the end of the process. What asking raises is in the last future.
    """
    todo, ordered = queue.SimpleQueue(), queue.Queue(2 * batch)
    stopped = threading.Event()

    def ask():
        try:
            for item in items:
                future = Future()
                todo.put((item, future))
                ordered.put((item.place, future))
                if stopped.is_set():
                    break
        except BaseException as error:
            failed = Future()
            failed.set_exception(error)
            ordered.put((None, failed))
        ordered.put(_END)
        for _ in range(workers):
            todo.put(_END)

    def take_turns():
        while do(todo.get()):
            pass  # and hold no picture while waiting for the next

    def do(task):
        if task is _END:
            return False
        item, future = task
        try:
            future.set_result(work(item))
        except BaseException as error:
            future.set_exception(error)
        return True

    for target in (ask, *[take_turns] * workers):
        threading.Thread(target=target, daemon=True).start()
    try:
        ahead = []
        while _END not in ahead:
            ahead = [ordered.get()]
            with contextlib.suppress(queue.Empty):
                while len(ahead) < batch:
                    ahead.append(ordered.get_nowait())
            if ahead[0] is not _END:
                yield [pair for pair in ahead if pair is not _END]
    finally:
        stopped.set()
        with contextlib.suppress(queue.Empty):  # who waits to put one more must see that
            while True:
                ordered.get_nowait()
