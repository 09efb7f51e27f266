"""Pictures to the classes of their pixels: whole or by windows, in several sizes, mirrored."""

from dataclasses import dataclass
from typing import Callable, Optional, Tuple

import cv2
import numpy as np

from ..data.image import resize
from ..utils.errors import InputError
from ..weights.manifest import Manifest, spec_of
from .predictor import DOES, load_ready


@dataclass(frozen=True)
class Views:
    """How a picture is looked at; what the views say is averaged.

    `scales` are sizes to look at it in, 1 its own, `flip` mirrored too. A `window` of (height,
    width) pixels, at most the picture's, slides over it in equal steps, such that neighbours share
    at least `overlap` of it, `batch` windows at once; without it all is seen at once. Raises
    InputError where a field has no sense.
    """

    scales: Tuple[float, ...] = (1.0,)
    flip: bool = False
    window: Optional[Tuple[int, int]] = None
    overlap: float = 1 / 3
    batch: int = 1

    def __post_init__(self):
        if not self.scales or not all(0 < scale <= 16 for scale in self.scales):
            raise InputError(f"scales {self.scales}: one or more above 0, at most 16")
        if self.window is not None and not (len(self.window) == 2 and min(self.window) > 0):
            raise InputError(f"window {self.window}: height and width in pixels, above 0")
        if not 0 <= self.overlap < 1:
            raise InputError(f"overlap {self.overlap:g}: from 0 to below 1")
        if self.batch < 1:
            raise InputError(f"batch {self.batch}: at least 1 window")

    @property
    def plain(self) -> bool:
        """Whether there is but one view."""
        return set(self.scales) == {1} and not self.flip


WHOLE = Views()


@dataclass(frozen=True)
class Segmenter:
    """A network ready to use: `network` maps prepared pictures to the logits of their pixels.

    Arrays are numpy's: `(B, C, H, W)` float32, or `(B, H, W, C)` uint8 for a network that does the
    normalising itself, to `(B, classes, H, W)`. `runtime` says what runs it.
    """

    network: Callable[[np.ndarray], np.ndarray]
    manifest: Manifest
    runtime: str = "mxnet"

    @property
    def channels(self) -> int:
        """Those of the pictures: 3 is RGB, 1 grey."""
        return self.manifest.preprocess.channels

    def classes(self, picture, views=WHOLE):
        """The likeliest class of each pixel: uint8 `(H, W, C)` -> uint8 train ids `(H, W)`.

        Raises InputError as `logits` does.
        """
        if len(self.manifest.class_names) > 255:  # 255 is for what has no class
            raise InputError(f"{self.manifest.model} tells more than 255 classes apart")
        # Softmax, a tenth of a second for Cityscapes' pictures, keeps the order of one view.
        scores = self.logits(picture, views) if views.plain else self.probabilities(picture, views)
        return scores.argmax(axis=0).astype(np.uint8)

    def largest(self, classes, top=5):
        """Those of the most pixels, uint8 `(H, W)`: `[(class name, share of the pixels), ...]`."""
        counts = np.bincount(classes.ravel(), minlength=len(self.manifest.class_names))
        order = (-counts).argsort(kind="stable")[:top]
        names = self.manifest.class_names
        return [(names[i], counts[i] / classes.size) for i in order if counts[i]]

    def probabilities(self, picture, views=WHOLE):
        """Those of the classes, the mean of all views: float32 `(classes, H, W)`.

        Each view's are resized to the picture, not its logits: the mean of two pixels' logits can
        have a third class on top that neither has. Raises InputError as `logits` does.
        """
        self._check_depth(picture)
        size = picture.shape[:2]
        total = np.zeros((len(self.manifest.class_names), *size), np.float32)
        for scale in views.scales:
            scaled = resize(picture, tuple(max(1, round(scale * n)) for n in size))
            for step in (1, -1) if views.flip else (1,):
                probabilities = _softmax(self.logits(scaled[:, ::step], views))
                for plane, seen in zip(total, probabilities):
                    plane += _resize_plane(seen, size)[:, ::step]
        total /= len(views.scales) * (1 + views.flip)
        return total

    def logits(self, picture, views=WHOLE):
        """Those of a picture as it is, whole or by windows: float32 `(classes, H, W)`.

        `picture` is uint8 `(H, W, C)`. Where windows overlap, their mean; a window that covers the
        picture is the picture. A network exported for one size sees windows of that size, and the
        mean colour beside a picture that is smaller. Raises InputError where the picture's size
        or depth does not fit, and where logits are not finite.
        """
        self._check_depth(picture)
        size = picture.shape[:2]
        window = self._window(size, views)
        tops, lefts = (starts(*lengths, views.overlap) for lengths in zip(size, window))
        corners = [(top, left) for top in tops for left in lefts]
        total = np.zeros((len(self.manifest.class_names), *size), np.float32)
        for i in range(0, len(corners), views.batch):
            batch = corners[i : i + views.batch]
            seen = self._run([self._prepare(picture, corner, window) for corner in batch], window)
            for (top, left), logits in zip(batch, seen):
                here = total[:, top : top + window[0], left : left + window[1]]
                here += logits[:, : here.shape[1], : here.shape[2]]
        if len(corners) > 1:
            rows, columns = map(_times_seen, size, (tops, lefts), window)
            total /= np.outer(rows, columns)
        return total

    def _window(self, size, views):
        """Height and width of what the network sees at once."""
        only = self._only_size()
        if only and views.window not in (None, only):
            raise InputError(
                f"window of {_pixels(views.window)}, {self.manifest.model} was exported for "
                f"{_pixels(only)}: leave the window out, or export with --any-size"
            )
        window = only or tuple(map(min, size, views.window or size))
        spec = spec_of(self.manifest)
        if spec:
            spec.check_input(window)
        return window

    def _only_size(self):
        """Height and width of an exported network's input, None where they may vary."""
        deployment = self.manifest.deployment
        if deployment is None:
            return None
        axes = zip(deployment.layout, deployment.shape)
        size = tuple(n for axis, n in axes if axis in "HW")
        return None if None in size else size

    def _prepare(self, picture, corner, window):
        """The network's input of a window, which may reach over the picture's end."""
        preprocess, deployment = self.manifest.preprocess, self.manifest.deployment
        (top, left), (height, width) = corner, window
        part = picture[top : top + height, left : left + width]
        if part.shape[:2] != window:
            seen = np.empty((*window, self.channels), np.uint8)
            seen[:] = np.rint(preprocess.mean)
            seen[: part.shape[0], : part.shape[1]] = part
            part = seen
        if deployment and deployment.takes_pictures:
            return part
        return preprocess.normalize(np.ascontiguousarray(part))

    def _run(self, inputs, window):
        """Finite logits `(B, classes, *window)` of B prepared windows."""
        logits = self.network(np.stack(inputs))
        expected = (len(inputs), len(self.manifest.class_names), *window)
        if logits.shape != expected:
            raise InputError(
                f"{self.manifest.model} gives outputs {logits.shape}, for these pixels {expected} "
                "are expected"
            )
        if not np.isfinite(logits).all():
            raise InputError("the network's outputs are not finite: its weights are no good")
        return logits

    def _check_depth(self, picture):
        if picture.ndim != 3 or picture.shape[2] != self.channels or picture.size == 0:
            raise InputError(
                f"expected a picture (height, width, {self.channels}), given {picture.shape}"
            )


def load_segmenter(model, weights=None, class_names=None, runtime=None) -> Segmenter:
    """A `load_ready` network that labels pixels. Raises InputError where it can't be had."""
    ready = load_ready(model, weights, class_names, runtime)
    if not ready.segments:
        raise InputError(f"{ready.manifest.model} {ready.does}: give a network that {DOES[1]}")
    return Segmenter(*ready)


def starts(length, window, overlap):
    """Where windows begin on an axis: in equal steps, the first and the last flush with its ends.

    Neighbours share `overlap` of a window or more, to half a pixel.
    """
    room = max(0, length - window)
    steps = -(-room // max(1, round(window * (1 - overlap))))
    return [round(i * room / steps) for i in range(steps + 1)] if steps else [0]


def _times_seen(length, starts, window):
    """In how many windows each row or column lies."""
    times = np.zeros(length, np.float32)
    for start in starts:
        times[start : start + window] += 1
    return times


def _softmax(logits):
    """Over the first axis, in place."""
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=0)
    return logits


def _resize_plane(plane, size):
    if plane.shape == size:
        return plane
    return cv2.resize(plane, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def _pixels(size):
    return "x".join(map(str, size))
