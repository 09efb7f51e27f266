"""What `predict` answers for the sources it is given, and how the answers are printed."""

import json
import sys
from pathlib import Path

from tqdm import tqdm

from ..data.sources import PICTURES, STREAM, VIDEOS, Place, open_sources
from ..inference.classify import top_fields
from ..inference.pipeline import classify_items, recognize_videos, segment_items
from ..inference.recognize import moment_fields
from ..utils.errors import InputError
from ..visualize.label_maps import LabelMapFolder
from ..visualize.video_strip import StripFolder
from .options import refuse_own_output


def classify_sources(classifier, names, top=5, batch=8, workers=2, every=1):
    """The places and `Answer`s of a classifier for all that `open_sources` takes.

    The places are None where they are not known beforehand, as those of a stream.
    """
    places, items = open_sources(names, every)
    return places, classify_items(classifier, items, top, batch, workers)


def segment_sources(segmenter, names, out, views, top=5, workers=2, every=1):
    """`classify_sources` for a segmenter, whose label maps are written into the folder `out`.

    Raises InputError also where `out` lies in one of the sources.
    """
    refuse_own_output(names, out)
    folder = LabelMapFolder(out, segmenter.manifest.class_names)
    places, items = open_sources(names, every)
    return places, segment_items(segmenter, items, folder, views, top, workers)


def recognize_sources(recognizer, names, views, out=None, top=5, workers=2):
    """The places and `Answer`s of a recognizer for files and folders of videos.

    `views` is a `ClipViews`; strips are written into the folder `out` where it is given. Raises
    InputError as `video_places` does.
    """
    places = video_places(names, recognizer.manifest.model)
    folder = None if out is None else StripFolder(out)
    return places, recognize_videos(recognizer, places, views, top, folder, workers)


def video_places(names, model):
    """The videos of files and folders, with all in them, each a `Place`.

    Raises InputError for standard input, for a picture, which the network `model` does not see,
    and for a folder without a video. Whether any other file is a video shows when it is opened.
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


def print_answers(places, answers, style="table", unit="pictures"):
    """Print each `Answer` as it comes, in a `style` of STYLES.

    `places` are those that are known beforehand or None, `unit` is what the progress bar counts.
    What can't be used is named on stderr, and the others go on. Raises InputError at the end where
    there was any.
    """
    width = max(len(place.name) for place in places) if places else 0
    alone = places is not None and len(places) == 1
    total = len(places) if places else None
    # On a terminal the answers themselves show the progress.
    quiet = sys.stdout.isatty() or not sys.stderr.isatty()
    count = refused = 0
    with tqdm(total=total, unit=f" {unit}", disable=quiet, dynamic_ncols=True) as bar:
        for answer in answers:
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
    """An answer as a line, and one more for each of a video's moments."""
    place = answer.place
    name = place.name if place.frame is None else f"{place.name}:{place.frame}"
    moments = answer.moments if len(answer.moments) > 1 else ()
    rows = [(_span(moment), moment.top) for moment in moments]
    width = max([width, *(len(span) for span, _ in rows)])
    lines = [f"{name.ljust(width)}  {_classes(answer.top)}"]
    return "\n".join(lines + [f"{span:>{width}}  {_classes(top)}" for span, top in rows])


def _classes(top):
    """The first classes as text: "cat 0.9100, dog 0.0900"."""
    return ", ".join(f"{class_name} {figure:.4f}" for class_name, figure in top)


def _span(moment):
    """When a moment is, as text: "  0.3-1.2 s"."""
    return f"  {moment.start:.1f}-{moment.end:.1f} s"


def _json(answer, _):
    """An answer as one line of JSON."""
    place = answer.place
    fields = {"file": place.file, "frame": place.frame, "time": place.time}
    fields["seconds"] = answer.seconds and round(answer.seconds, 3)
    fields = {key: value for key, value in fields.items() if value is not None}
    fields["top"] = top_fields(answer.top, answer.figure)
    if answer.moments:
        fields["clips"] = moment_fields(answer.moments)
    if answer.files:
        fields["files"] = {kind: str(path) for kind, path in answer.files.items()}
    return json.dumps(fields)


STYLES = {"table": _table, "json": _json}


def _where(place):
    """A place as an error names it: the file, and which frame of it."""
    return place.file if place.frame is None else f"{place.file}, frame {place.frame}"
