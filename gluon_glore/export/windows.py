"""A picture of any size through a network that labels pixels: whole, or by sliding windows."""

import numpy as np

from ..utils.errors import InputError, OutputError
from ..weights.manifest import spec_of
from .inputs import window_input
from .runtime import refuse_infinite

OVERLAP = 1 / 3  # of a window that neighbours share at least


def sliding_logits(network, manifest, picture, window=None, overlap=OVERLAP, batch=1):
    """Logits of a picture at its own size: uint8 `(H, W, C)` -> float32 `(classes, H, W)`.

    `network` maps a batch of its input to logits. Where windows `(height, width)` overlap, their
    logits are averaged; without one the picture is seen whole. A network exported for one size sees
    windows of that size; a smaller picture is padded with the mean color. Raises InputError where
    the picture's size or depth does not fit, and where logits are not finite.
    """
    refuse_depth(picture, manifest)
    size = picture.shape[:2]
    window = _window(manifest, size, window)
    tops, lefts = (starts(*lengths, overlap) for lengths in zip(size, window))
    corners = [(top, left) for top in tops for left in lefts]
    total = np.zeros((len(manifest.class_names), *size), np.float32)
    for i in range(0, len(corners), batch):
        part = corners[i : i + batch]
        inputs = [window_input(manifest, picture, corner, window) for corner in part]
        for (top, left), logits in zip(part, _run(network, manifest, inputs, window)):
            here = total[:, top : top + window[0], left : left + window[1]]
            here += logits[:, : here.shape[1], : here.shape[2]]
    if len(corners) > 1:
        rows, columns = map(_times_seen, size, (tops, lefts), window)
        total /= np.outer(rows, columns)
    return total


def refuse_depth(picture, manifest):
    """Raise InputError where a picture is empty or has not the network's number of channels."""
    channels = manifest.preprocess.channels
    if picture.ndim != 3 or picture.shape[2] != channels or picture.size == 0:
        raise InputError(f"expected a picture (height, width, {channels}), given {picture.shape}")


def fixed_size(manifest):
    """(height, width) of an exported network's input, None where they may vary."""
    deployment = manifest.deployment
    if deployment is None:
        return None
    axes = zip(deployment.layout, deployment.shape)
    size = tuple(n for axis, n in axes if axis in "HW")
    return None if None in size else size


def _window(manifest, size, window):
    """(height, width) of the network's input for a picture of `size`."""
    fixed = fixed_size(manifest)
    if fixed and window not in (None, fixed):
        raise InputError(
            f"window of {_pixels(window)}, {manifest.model} was exported for {_pixels(fixed)}: "
            "leave the window out, or export with --any-size"
        )
    window = fixed or tuple(map(min, size, window or size))
    spec = spec_of(manifest)
    if spec:
        spec.check_input(window)
    return window


def _run(network, manifest, inputs, window):
    """Logits `(B, classes, *window)` of B prepared windows.

    Raises OutputError where they have another shape or are not finite.
    """
    logits = network(np.stack(inputs))
    expected = (len(inputs), len(manifest.class_names), *window)
    if logits.shape != expected:
        raise OutputError(
            f"{manifest.model} gives outputs {logits.shape}, for these pixels {expected} are "
            "expected"
        )
    refuse_infinite(logits)
    return logits


def starts(length, window, overlap):
    """Where windows begin on an axis of `length` pixels, in equal steps, flush with both ends.

    Neighbors share the part `overlap` of a window or more, rounded to half a pixel.
    """
    room = max(0, length - window)
    steps = -(-room // max(1, round(window * (1 - overlap))))
    return [round(i * room / steps) for i in range(steps + 1)] if steps else [0]


def _times_seen(length, starts, window):
    """The number of windows that each row or column lies in, float32 `(length,)`."""
    times = np.zeros(length, np.float32)
    for start in starts:
        times[start : start + window] += 1
    return times


def _pixels(size):
    """A size as text: "8x16"."""
    return "x".join(map(str, size))
