"""Pictures one by one, from files, folders, videos, and a stream on standard input."""

import contextlib
import functools
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Iterator, List, Optional, Tuple

import cv2
import numpy as np

from ..utils.errors import InputError
from .image import decode_image, max_pixels, read_image, refuse_depth
from .picture_header import START, is_picture
from .picture_stream import split_pictures

STREAM = "-"  # the name of standard input
PICTURES = frozenset((".bmp", ".gif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
VIDEOS = frozenset(
    (".3gp", ".avi", ".flv", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg")
    + (".mts", ".ogv", ".ts", ".webm", ".wmv")
)
# A video with this share of its header's frames missing has been cut. (Some headers only estimate.)
_LOST_FRAMES = 0.05
# How what FFmpeg reads as a playlist begins, which names other files to open: with text. No video
# does but AVI's and raw frames' headers.
_TEXT = re.compile(rb"(?!RIFF|YUV4MPEG2 )(\xef\xbb\xbf)?[\t\n\r\x20-\x7e]{7}")


@dataclass(frozen=True)
class Place:
    """Where a picture is from: `file` is the path to open, `name` a shorter one for messages.

    In a video or stream it is number `frame`, from 0 on; in a video it is shown at `time` seconds.
    """

    file: str
    name: str
    frame: Optional[int] = None
    time: Optional[float] = None


@dataclass(frozen=True)
class Item:
    """A picture that is not read yet: `read(channels)` returns it, uint8 `(H, W, channels)`.

    `read` raises InputError where that fails. It may be called once, in any thread.
    """

    place: Place
    read: Callable[[int], np.ndarray]


def open_sources(names, every=1) -> Tuple[List[Place], Iterator[Item]]:
    """The pictures of files, folders and their subfolders, videos, and "-", standard input.

    Returns (places, items). The items come in order, and are made when they are asked for. The
    places are those of all items, None where a video or stream is among the `names`, whose length
    is not known beforehand. Of videos and streams only frames are taken whose number is a multiple
    of `every`. Raises InputError for a folder without a picture.
    """
    sources = [_source(name, every) for name in names]
    places = [place for known, _ in sources for place in known or ()]
    known = all(known is not None for known, _ in sources)
    return places if known else None, (item for _, items in sources for item in items)


def _source(name, every):
    """(places, items) of one name, as `open_sources` returns them."""
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
    """The picture files in a folder and its subfolders, sorted, hidden ones left out."""
    files = (file for file in folder.rglob("*") if file.suffix.lower() in PICTURES)
    return sorted(file for file in files if not file.name.startswith(".") and file.is_file())


def _is_video(path):
    """Whether a path is a video's: by its suffix, or where that says nothing, by its content."""
    suffix = path.suffix.lower()
    if suffix in PICTURES or not path.is_file():
        return False
    if suffix in VIDEOS:
        return True
    start = _start_of(path)
    return not (is_picture(start) or _TEXT.match(start)) and _open_video(path).isOpened()


def _start_of(path):
    """The first bytes of a file; none where it can't be read, which reading it will say."""
    try:
        with path.open("rb") as file:
            return file.read(START)
    except OSError:
        return b""


def _stream_items(descriptor):
    """Yield an Item for each picture of a stream, and for each that is damaged."""
    # Not sys.stdin: a thread that waits for it holds its lock, and Python aborts at its end.
    read = functools.partial(os.read, descriptor)
    for number, data in enumerate(split_pictures(read)):
        place = Place(STREAM, STREAM, number)
        if isinstance(data, InputError):
            yield _refused(place, data)
        else:
            yield Item(place, functools.partial(decode_image, data))


def _every(items, every):
    """The items whose number in their video or stream is a multiple of `every`."""
    return (item for item in items if item.place.frame % every == 0)


def _open_video(path):
    """OpenCV's reader of a video file, open where it is one."""
    with contextlib.suppress(AttributeError):  # FFmpeg's messages would stand beside our own
        cv2.setLogLevel(0)
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)


def _video_items(path, every):
    """Yield an Item for every `every`th frame of a video, and one for what is wrong with it."""
    whole = Place(str(path), path.name)
    video = None if _TEXT.match(_start_of(path)) else _open_video(path)
    if video is None or not video.isOpened():
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
    """A frame of OpenCV's, BGR, as RGB or grey: uint8 `(H, W, channels)`."""
    refuse_depth(channels)
    code = cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGR2GRAY
    return cv2.cvtColor(picture, code).reshape(*picture.shape[:2], channels)


def _refused(place, error):
    """An Item whose `read` raises `error`."""

    def read(_):
        raise error

    return Item(place, read)
