"""Many pictures or videos put to a network: read by several threads, answered in order."""

import collections
import contextlib
import itertools
import json
import queue
import sys
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Optional, Tuple

from tqdm import tqdm

from .errors import InputError
from .paint import PaintedFolder
from .recognize import Moment
from .sources import PICTURES, STREAM, VIDEOS, Place, open_sources
from .strip import StripFolder

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


def predict_sources(classifier, names, top=5, batch=8, workers=2, every=1, style="table"):
    """`print_answers` of a classifier for all that `open_sources` takes."""

    def answer(items):
        return classify_items(classifier, items, top, batch, workers)

    print_answers(answer, open_sources(names, every), style)


def segment_sources(segmenter, names, out, views, top=5, workers=2, every=1, style="table"):
    """`print_answers` of a segmenter, which writes painted pictures into the folder `out`.

    Raises InputError also where that lies in a folder of pictures: the next time they were in it.
    """
    refuse_own_output(names, out)
    folder = PaintedFolder(out, segmenter.manifest.class_names)

    def answer(items):
        return segment_items(segmenter, items, folder, views, top, workers)

    print_answers(answer, open_sources(names, every), style)


def refuse_own_output(names, out):
    """Raise InputError where `out` lies in a folder among the sources: it would be read again."""
    for name in names:
        if Path(name).is_dir() and Path(name).resolve() in (Path(out) / "any").resolve().parents:
            raise InputError(f"{out} lies in {name}, of which all pictures are asked for")


def recognize_sources(recognizer, names, look, out=None, top=5, workers=2, style="table"):
    """`print_answers` of a recognizer for files and folders of videos, strips in the folder `out`.

    `look` as `recognize_videos` takes it. Raises InputError also for what is no video.
    """
    places = video_places(names, recognizer.manifest.model)
    folder = None if out is None else StripFolder(out)

    def answer(places):
        return recognize_videos(recognizer, places, look, top, folder, workers)

    print_answers(answer, (places, places), style, "videos")


def video_places(names, model):
    """The videos of files and folders, with all in them, each a `Place`.

    Raises InputError for standard input, for a picture, which the network `model` does not see,
    and for a folder without a video. What else a file may be shows when it is opened.
    """
    allowed = " ".join(sorted(VIDEOS))
    places = []
    for name in names:
        path = Path(name)
        found = [Place(str(name), path.name)]
        if path.is_dir():
            files = (file for file in path.rglob("*") if file.suffix.lower() in VIDEOS)
            files = sorted(file for file in files if file.name[0] != "." and file.is_file())
            found = [Place(str(file), str(file.relative_to(path))) for file in files]
            if not found:
                raise InputError(f"{name}: no video in it, of {allowed}")
        elif name == STREAM or path.suffix.lower() in PICTURES:
            given = "standard input" if name == STREAM else "a picture"
            raise InputError(
                f"{name}: {given}, {model} watches videos: give files or folders of {allowed}"
            )
        places += found
    return places


def print_answers(answers, sources, style="table", what="pictures"):
    """Print each answer, in a `style` of STYLES, as they come.

    `sources` are the places, None where they are not known beforehand, and what `answers` takes to
    yield the `Answer`s of. What can't be used is named on stderr, and the rest goes on. Raises
    InputError at the end where there was any.
    """
    places, items = sources
    width = max(len(place.name) for place in places) if places else 0
    alone = places is not None and len(places) == 1
    total = len(places) if places else None
    # On a terminal the answers themselves show the progress.
    quiet = sys.stdout.isatty() or not sys.stderr.isatty()
    count = refused = 0
    with tqdm(total=total, unit=f" {what}", disable=quiet, dynamic_ncols=True) as bar:
        for answer in answers(items):
            count += 1
            bar.update()
            if answer.error is None:
                print(STYLES[style](answer, width), flush=True)
                continue
            error = InputError(f"{_where(answer.place)}: {answer.error}")
            if alone:
                raise error
            refused += 1
            bar.write(f"error: {error}", file=sys.stderr)
    if refused:
        raise InputError(f"{refused} of {count} could not be used")


def _table(answer, width):
    place = answer.place
    name = place.name if place.frame is None else f"{place.name}:{place.frame}"
    moments = answer.moments if len(answer.moments) > 1 else ()
    rows = [(_span(moment), moment.top) for moment in moments]
    width = max([width, *(len(span) for span, _ in rows)])
    lines = [f"{name.ljust(width)}  {_classes(answer.top)}"]
    return "\n".join(lines + [f"{span:>{width}}  {_classes(top)}" for span, top in rows])


def _classes(top):
    return ", ".join(f"{class_name} {figure:.4f}" for class_name, figure in top)


def _span(moment):
    return f"  {moment.start:.1f}-{moment.end:.1f} s"


def _json(answer, _):
    place = answer.place
    fields = {"file": place.file, "frame": place.frame, "time": place.time}
    fields["seconds"] = answer.seconds and round(answer.seconds, 3)
    fields = {key: value for key, value in fields.items() if value is not None}
    fields["top"] = top_fields(answer.top, answer.figure)
    if answer.moments:
        fields["clips"] = [
            {"start": round(m.start, 3), "end": round(m.end, 3), "top": top_fields(m.top)}
            for m in answer.moments
        ]
    if answer.files:
        fields["files"] = {kind: str(path) for kind, path in answer.files.items()}
    return json.dumps(fields)


STYLES = {"table": _table, "json": _json}


def top_fields(top, figure="probability"):
    """The first classes as JSON has them, of `predict` and of `serve`."""
    return [{"class": name, figure: round(number, 6)} for name, number in top]


def _where(place):
    return place.file if place.frame is None else f"{place.file}, frame {place.frame}"
