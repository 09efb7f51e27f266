"""Pictures to the classes of their pixels, seen whole or by sliding windows, in several views."""

from dataclasses import dataclass
from typing import Optional, Tuple

import cv2
import numpy as np

from ..data.image import resize
from ..export.inputs import window_input
from ..export.windows import OVERLAP, fixed_size, refuse_depth, sliding_logits
from ..utils.errors import InputError
from .predictor import Predictor, Task, load_predictor


@dataclass(frozen=True)
class Views:
    """The views of a picture whose probabilities are averaged.

    The network sees the picture in all `scales` (1 is its own size), with `flip` also mirrored. A
    `window` of (height, width) pixels slides over it in equal steps, so that neighbours share at
    least the part `overlap` of a window; `batch` windows go through the network at once. Without a
    window, it sees the whole picture in one pass. Raises InputError where a field makes no sense.
    """

    scales: Tuple[float, ...] = (1.0,)
    flip: bool = False
    window: Optional[Tuple[int, int]] = None
    overlap: float = OVERLAP
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
    def single(self) -> bool:
        """Whether the picture at its own size is the only view."""
        return set(self.scales) == {1} and not self.flip


WHOLE = Views()


class Segmenter(Predictor):
    """A network that labels pixels: `network` maps a batch of pictures to `(B, classes, H, W)`.

    The batch is float32 `(B, C, H, W)`, or uint8, `(B, H, W, C)` or as its deployment's layout
    says, where the network normalizes pixels itself.
    """

    required_task = Task.SEGMENT

    def classes(self, picture, views=WHOLE):
        """The likeliest class of each pixel: uint8 `(H, W, C)` -> uint8 train ids `(H, W)`.

        Raises InputError as `logits` does.
        """
        if len(self.manifest.class_names) > 255:  # 255 is for what has no class
            raise InputError(f"{self.manifest.model} tells more than 255 classes apart")
        # One view needs no softmax, which keeps the order (and takes 0.1 s for Cityscapes).
        scores = self.logits(picture, views) if views.single else self.probabilities(picture, views)
        return scores.argmax(axis=0).astype(np.uint8)

    def largest(self, classes, top=5):
        """The `top` classes with the most pixels: `[(class name, share of the pixels), ...]`.

        `classes` is uint8 `(H, W)`; a class without a pixel is left out.
        """
        counts = np.bincount(classes.ravel(), minlength=len(self.manifest.class_names))
        order = (-counts).argsort(kind="stable")[:top]
        names = self.manifest.class_names
        return [(names[i], counts[i] / classes.size) for i in order if counts[i]]

    def probabilities(self, picture, views=WHOLE):
        """Probabilities of the classes of each pixel, the mean of all views.

        uint8 `(H, W, C)` -> float32 `(classes, H, W)`. What is resized to the picture's size are
        probabilities and not logits: between two pixels, the mean of logits can favor a third class
        that neither of them shows. Raises InputError as `logits` does.
        """
        refuse_depth(picture, self.manifest)
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
        """Logits of a picture at its own size, in one pass or by sliding windows.

        uint8 `(H, W, C)` -> float32 `(classes, H, W)`. Where windows overlap, their logits are
        averaged; a window is at most as large as the picture. A network exported for one size sees
        windows of that size; a smaller picture is padded with the mean color. Raises InputError
        where the picture's size or depth does not fit, and where logits are not finite.
        """
        return sliding_logits(
            self.network, self.manifest, picture, views.window, views.overlap, views.batch
        )

    def prepare(self, picture):
        """The network's input for a picture that it sees in one pass: uint8 `(H, W, C)`."""
        return window_input(self.manifest, picture, (0, 0), picture.shape[:2])

    def fixed_size(self):
        """(height, width) of an exported network's input, None where they may vary."""
        return fixed_size(self.manifest)


def load_segmenter(
    model, weights=None, class_names=None, runtime=None, preprocess=None, signature=None
) -> Segmenter:
    """Load a network that labels pixels as `load_predictor` does.

    Raises InputError where it can't be loaded, or does not label pixels.
    """
    predictor = load_predictor(model, weights, class_names, runtime, preprocess, signature)
    return Segmenter.of(predictor)


def _softmax(logits):
    """Softmax over the first axis; overwrites its argument and returns it."""
    logits -= logits.max(axis=0)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=0)
    return logits


def _resize_plane(plane, size):
    """One class's probabilities `(h, w)` at another size, bilinear."""
    if plane.shape == size:
        return plane
    return cv2.resize(plane, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
