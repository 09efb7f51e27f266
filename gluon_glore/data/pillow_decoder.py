"""Pictures that Pillow decodes, as the arrays that OpenCV's decoders give.

Pillow is imported when the first such picture comes: most commands never see one.
"""

import contextlib
import importlib
import io
import threading

import cv2
import numpy as np

from ..utils.errors import InputError
from .picture_header import NOT_A_PICTURE

_ROWS_PIXELS = 2**16  # that are converted at once, so that a picture is not held twice
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N")
_GREY = ("1", "L", "LA", *_DEEP)
_COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
# What Exif's orientation asks to be done with `(H, W, C)`.
_TURNS = {
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x[::-1].swapaxes(0, 1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x[:, ::-1].swapaxes(0, 1),
}


class _WholeFiles:
    """Has Pillow refuse half a file in its body: importing GluonCV makes it fill what is missing.

    That is one switch of Pillow's for all threads: the last that leaves puts it back.
    """

    def __init__(self):
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self):
        from PIL import ImageFile

        with self._lock:
            if not self._inside:
                self._before = ImageFile.LOAD_TRUNCATED_IMAGES
            self._inside += 1
            ImageFile.LOAD_TRUNCATED_IMAGES = False

    def __exit__(self, *_):
        from PIL import ImageFile

        with self._lock:
            self._inside -= 1
            if not self._inside:
                ImageFile.LOAD_TRUNCATED_IMAGES = self._before


whole_files = _WholeFiles()


def decode_with_pillow(header, channels):
    """Decode the picture of a `Header` that names a plugin to uint8 `(H, W, channels)`.

    Of an animation the first frame is decoded, transparency is dropped, and of 16 bits the upper 8
    are taken. Raises InputError where it can't be decoded.
    """
    plugin = importlib.import_module(f"PIL.{header.plugin}")
    # The plugin's class itself, not Image.open: that warns and refuses by limits of its own.
    opener = getattr(plugin, header.plugin.replace("Plugin", "File"))
    try:
        with whole_files:
            pixels = _decode(opener, header, channels)
    except InputError:
        raise
    except Exception:  # Pillow's plugins raise a dozen kinds on damaged files
        raise InputError(NOT_A_PICTURE) from None
    turn = _TURNS.get(header.orientation)
    return np.ascontiguousarray(turn(pixels)) if turn else pixels


def _decode(opener, header, channels):
    """The pixels as they are stored. Pillow's own copy is given up by `close`."""
    with contextlib.closing(opener(io.BytesIO(header.data))) as picture:
        if picture.size != (header.width, header.height) or picture.mode not in _GREY + _COLOUR:
            raise InputError(NOT_A_PICTURE)
        picture.load()
        return _pixels(picture, channels)


def _pixels(picture, channels):
    """The pixels of a loaded picture, uint8 `(H, W, channels)`, taken out some rows at a time."""
    width, height = picture.size
    pixels = np.empty((height, width, channels), np.uint8)
    rows = max(1, _ROWS_PIXELS // width)
    for top in range(0, height, rows):
        part = picture.crop((0, top, width, min(top + rows, height)))
        if picture.mode in _DEEP:
            part = np.asarray(part) >> 8
        else:
            part = np.asarray(part.convert("L" if picture.mode in _GREY else "RGB"))
        if channels == 1 and part.ndim == 3:
            part = cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)
        pixels[top : top + rows] = part if part.ndim == 3 else part[..., None]
    return pixels
