"""What a network saw in a video as one picture: frames along time, the first classes below them.

Bars, frames and axis are set to the pixel with OpenCV, which the base installation has; `predict
--out` would need matplotlib for ten lines of axis alone.
"""

import itertools

import cv2
import numpy as np

from ..data.image import resize, write_png
from ..data.video import Video
from .output_folder import OutputFolder
from .text import INK, SOFT, draw_text, shorten, wrap

WIDTH = 1200  # pixels of the picture
_LEFT, _RIGHT = 210, 80  # beside the chart: names of classes, their probabilities
_TOP, _BOTTOM = 44, 46  # above the frames and below the chart
_FRAME = 116  # height of a frame, about
_ROW, _GAP = 46, 8  # height of a class's row, space between rows
_MAX_CLASSES, _MAX_FRAMES = 10, 16

_LINE = (222, 225, 229)
_FIRST, _OTHER = (31, 105, 178), (158, 196, 230)  # bars of a clip's first class, of another


def paint_strip(recognition, pictures, title=""):
    """The strip of a `Recognition`: uint8 RGB `(H, 1200, 3)`.

    `pictures` are frames of the video, uint8 `(H, W, 3)`, from the middles of equal parts of it.
    Each of the first classes has a row, and in it a bar for each clip, as high as the class's
    probability and dark where it is the clip's first class. The row ends with the probability over
    the whole video.
    """
    rows = recognition.top[:_MAX_CLASSES]
    chart = WIDTH - _LEFT - _RIGHT
    frames = _film(pictures, chart)
    bottom = _TOP + len(frames) + _GAP + len(rows) * (_ROW + _GAP)
    canvas = np.full((bottom + _BOTTOM, WIDTH, 3), 255, np.uint8)
    canvas[_TOP : _TOP + len(frames), _LEFT : _LEFT + chart] = frames

    def x(seconds):
        return _LEFT + round(chart * min(seconds / recognition.seconds, 1))

    half = WIDTH // 2 - 2 * _GAP
    draw_text(canvas, shorten(title, half, 1.2), _GAP, 28, INK, 1.2)
    draw_text(canvas, shorten(rows[0][0], half, 1.2), WIDTH - _GAP, 28, _FIRST, 1.2, "right")
    edges = [x(edge) for edge in _edges(recognition)]
    top = _TOP + len(frames) + _GAP
    order = (-recognition.probabilities).argsort(kind="stable")
    for number, (name, probability) in zip(order, rows):
        base = top + _ROW
        cv2.line(canvas, (_LEFT, base), (_LEFT + chart - 1, base), _LINE)
        lines = wrap(name, _LEFT - 2 * _GAP)
        for i, line in enumerate(lines):
            y = base - 16 + round(18 * (i - (len(lines) - 1) / 2))
            draw_text(canvas, line, _LEFT - _GAP, y, INK, 1, "right")
        draw_text(canvas, f"{100 * probability:.1f} %", WIDTH - _GAP, base - 16, INK, 1, "right")
        for moment, left, right in zip(recognition.moments, edges, edges[1:]):
            _bar(canvas, moment.probabilities, number, (left, right), base)
        top = base + _GAP
    _axis(canvas, recognition.seconds, x, bottom)
    draw_text(canvas, "% of a clip, dark: its first", _GAP, bottom + 21, SOFT, 0.85)
    return canvas


def frames_along(video):
    """Numbers of the frames of a `Video` that are shown above the chart: int `(n,)`.

    There are as many as fit side by side.
    """
    height, width = video.size
    count = round((WIDTH - _LEFT - _RIGHT) / (_FRAME * width / height))
    count = min(max(1, count), _MAX_FRAMES)
    return len(video) * (2 * np.arange(count) + 1) // (2 * count)


class StripFolder(OutputFolder):
    """Takes a PNG file of each video: NAME_strip."""

    def write(self, place, recognition):
        """Write the strip of a video, whole or not at all: {"strip": path}.

        Raises InputError where it can't be written, or another video has the same name.
        """
        path = self.path / f"{self.name(place)}_strip.png"
        with Video(place.file) as video:
            pictures = video.read(frames_along(video))
        write_png(path, paint_strip(recognition, pictures, place.name))
        return {"strip": path}


def _film(pictures, width):
    """Frames side by side, all equally wide and none stretched: uint8 `(height, width, 3)`."""
    edges = [width * i // len(pictures) for i in range(len(pictures) + 1)]
    height, across = pictures[0].shape[:2]
    tall = min(max(_FRAME // 2, round(edges[1] * height / across)), 2 * _FRAME)
    film = np.full((tall, width, 3), 255, np.uint8)
    for picture, left, right in zip(pictures, edges, edges[1:]):
        ratio = min(tall / height, (right - left) / across)
        size = max(1, round(height * ratio)), max(1, round(across * ratio))
        place = left + (right - left - size[1]) // 2
        upper = (tall - size[0]) // 2
        film[upper : upper + size[0], place : place + size[1]] = resize(picture, size)
    for edge in edges[1:-1]:
        film[:, edge - 1 : edge + 1] = 255
    return film


def _edges(recognition):
    """Where one clip's bar ends and the next begins, in seconds: midway between their middles."""
    middles = [(moment.start + moment.end) / 2 for moment in recognition.moments]
    between = [(a + b) / 2 for a, b in zip(middles, middles[1:])]
    return [0.0, *between, recognition.seconds]


def _bar(canvas, probabilities, number, ends, base):
    """Draw the bar of class `number` in a clip, and its probability in per cent."""
    probability = probabilities[number]
    left, right = ends[0] + 1, ends[1] - 2
    upper = base - round(probability * _ROW)
    first = number == probabilities.argmax()
    if upper < base and left <= right:
        color = _FIRST if first else _OTHER
        cv2.rectangle(canvas, (left, upper), (right, base - 1), color, cv2.FILLED)
    text = f"{100 * probability:.0f}"
    if probability >= 0.005 and right - left > 26:
        inside = probability > 0.45
        color = (255, 255, 255) if inside and first else INK if inside else SOFT
        line = upper + 14 if inside else upper - 4
        draw_text(canvas, text, (left + right) // 2, line, color, 0.85, "middle")


def _axis(canvas, seconds, x, top):
    """Draw the axis of seconds below the chart, in round steps."""
    sizes = (s * 10.0**e for e in itertools.count(-3) for s in (1, 2, 5))
    step = next(size for size in sizes if seconds / size <= 12)  # a damaged video may be 1e10 s
    cv2.line(canvas, (x(0), top), (x(seconds) - 1, top), SOFT)
    for i in range(int(seconds / step + 1e-6) + 1):
        at = x(i * step)
        cv2.line(canvas, (at, top), (at, top + 5), SOFT)
        draw_text(canvas, f"{i * step:g}", at, top + 21, SOFT, 0.95, "middle")
    draw_text(canvas, "seconds", WIDTH - _GAP, top + 21, SOFT, 0.95, "right")
