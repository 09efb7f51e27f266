"""Where the pictures to classify are: files, folders, videos, and a stream on standard input."""

import contextlib
import functools
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from ..utils.errors import InputError
from .image import decode_image, max_pixels, read_image
from .picture_stream import split_pictures

STREAM = "-"
PICTURES = frozenset(
    (".bmp", ".gif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm")
    + (".tif", ".tiff", ".webp")
)
VIDEOS = frozenset(
    (".3gp", ".avi", ".flv", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
    + (".mts", ".ogv", ".ts", ".webm", ".wmv")
)
_LOST_FRAMES = 0.05  # of those a video's header promises; where it only estimates them, it errs


@dataclass(frozen=True)
class Place:
    """Which picture: `file` as a caller finds it, `name` as a reader knows it.

    Of a video or a stream also its number, `frame`, from 0 on; of a video its `time` in seconds.
    """

    file: str
    name: str
    frame: Optional[int] = None
    time: Optional[float] = None


@dataclass(frozen=True)
class Item:
    """A picture to come: `read(channels)` gives it, uint8 `(H, W, channels)`.

    It raises InputError where it can't; safe to call in any thread, once.
    """

    place: Place
    read: Callable[[int], np.ndarray]


def open_sources(names, every=1) -> Tuple[List[Place], Iterator[Item]]:
    """The pictures of files, folders (with all in them), videos and "-", standard input.

    Returns the places that are known beforehand, None instead where there are videos or streams,
    and the items in order, made as they are asked for. `every`: of videos and streams, each frame
    whose number is a multiple of it. Raises InputError for a folder without a picture.
    """
    sources = [_source(name, every) for name in names]
    places = [place for known, _ in sources for place in known or ()]
    known = all(known is not None for known, _ in sources)
    return places if known else None, (item for _, items in sources for item in items)


def _source(name, every):
    """(places or None, items) of one name."""
    path = Path(name)
    if name == STREAM:
        return None, _every(_stream_items(sys.stdin.fileno()), every)
    if path.is_dir():
        places = [Place(str(file), str(file.relative_to(path))) for file in _pictures_in(path)]
        if not places:
            raise InputError(f"{name}: no picture in it, of {' '.join(sorted(PICTURES))}")
    elif _is_video(path):
        return None, _video_items(path, every)
    else:
        places = [Place(str(name), path.name)]
    return places, (Item(place, functools.partial(read_image, place.file)) for place in places)


def _pictures_in(folder):
    files = (file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)
    return sorted(file for file in files if not file.name.startswith(".") and file.is_file())


def _is_video(path):
    """By its name; what has another kind of name is a video where it is one, and no picture."""
    suffix = path.suffix.lower()
    if suffix in PICTURES or not path.is_file():
        return False
    return suffix in VIDEOS or not cv2.haveImageReader(str(path)) and _open_video(path).isOpened()


def _stream_items(descriptor):
    # Not sys.stdin: a thread that waits in it holds its lock, and Python aborts at its end.
    read = functools.partial(os.read, descriptor)
    for number, data in enumerate(split_pictures(read)):
        place = Place(STREAM, STREAM, number)
        if isinstance(data, InputError):
            yield _refused(place, data)
        else:
            yield Item(place, functools.partial(decode_image, data))


def _every(items, every):
    return (item for item in items if item.place.frame % every == 0)


def _open_video(path):
    with contextlib.suppress(AttributeError):  # what FFmpeg says of it is for us to say
        cv2.setLogLevel(0)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)


def _video_items(path, every):
    whole = Place(str(path), path.name)
    video = _open_video(path)
    if not video.isOpened():
        yield _refused(whole, InputError("not a readable video"))
        return
    width, height = video.get(cv2.CAP_PROP_FRAME_WIDTH), video.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if width * height > max_pixels():
        yield _refused(whole, InputError(f"video of more than {max_pixels()} pixels a frame"))
        return
    number = 0
    while video.grab():
        if number % every == 0:
            place = Place(str(path), path.name, number, video.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            readable, frame = video.retrieve()
            if readable:
                yield Item(place, functools.partial(_with_channels, frame))
            else:
                yield _refused(place, InputError("not a readable frame"))
        number += 1
    promised = video.get(cv2.CAP_PROP_FRAME_COUNT)
    if not number or number < promised * (1 - _LOST_FRAMES):
        message = f"ends after {number} frames of {promised:.0f}"
        yield _refused(whole, InputError(message))


def _with_channels(picture, channels):
    """OpenCV's BGR as RGB or grey."""
    code = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGR2GRAY
    return cv2.cvtColor(picture, code).reshape(*picture.shape[:2], channels)


def _refused(place, error):
    def read(_):
        raise error

    return Item(place, read)
