"""What `predict` prints: the answers for all that was named, a line each or as JSON."""

import json
import sys
from pathlib import Path

from tqdm import tqdm

from ..data.sources import PICTURES, STREAM, VIDEOS, Place, open_sources
from ..inference.classify import top_fields
from ..inference.pipeline import classify_items, recognize_videos, segment_items
from ..utils.errors import InputError
from ..visualize.label_maps import PaintedFolder
from ..visualize.video_strip import StripFolder


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


def _where(place):
    return place.file if place.frame is None else f"{place.file}, frame {place.frame}"
