"""Pixels as a network takes them: prepared, or as they are where its graph prepares them itself."""

from dataclasses import replace

import numpy as np

from ..data.clips import read_views


def takes_pictures(manifest):
    """Whether a network takes uint8 pixels and normalizes them itself."""
    return manifest.deployment is not None and manifest.deployment.takes_pictures


def unchanged(preprocess):
    """A `Preprocess` of the same crop that leaves pixels as they are, 0 to 255."""
    return replace(preprocess, mean=(0.0,) * preprocess.channels, scale=1.0)


def window_input(manifest, picture, corner, window):
    """The network's input for the window `(height, width)` at a corner of a picture, one sample.

    `picture` is uint8 `(H, W, C)`. Where the window reaches over the picture's end, it is padded
    with the mean color.
    """
    preprocess = manifest.preprocess
    (top, left), (height, width) = corner, window
    part = picture[top : top + height, left : left + width]
    if part.shape[:2] != window:
        padded = np.empty((*window, preprocess.channels), np.uint8)
        padded[:] = np.clip(np.rint(preprocess.mean), 0, 255)
        padded[: part.shape[0], : part.shape[1]] = part
        part = padded
    if takes_pictures(manifest):
        return manifest.deployment.laid_out(part)
    return preprocess.normalize(np.ascontiguousarray(part))


def clip_input(manifest, clip, video, starts, crops=1):
    """The network's input for the clips of a video that begin at the frames `starts`, a batch.

    `video` and `crops` are as `data.clips.read_views` takes them. Raises InputError where it does.
    """
    if not takes_pictures(manifest):
        return read_views(video, clip, manifest.preprocess, starts, crops)
    views = read_views(video, clip, unchanged(manifest.preprocess), starts, crops)
    return manifest.deployment.laid_out(np.moveaxis(views.astype(np.uint8), 1, -1))
