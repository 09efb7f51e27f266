"""Training's random views of a clip: crop and scale, mirror, colour, noise; one for all frames.

The recipe of the authors' released Kinetics trainer (github.com/facebookresearch/GloRe, from
PyTorch-MFNet), whose defaults stand in `ClipAugment`.
"""

import cv2
import numpy as np

from gluon_glore.data.image import resize

from .picture_augment import shift_hls


def augment_clip(frames, size, cfg, rng):
    """A random view: uint8 `(T, H, W, C)` -> uint8 `(T, *size, C)`, alike for all frames but noise.

    `cfg` is a `ClipAugment`, `rng` a numpy Generator: same generator, same view. Frames of one
    channel keep their colour. Other than in the released trainer, hue is a circle, where theirs
    stops at red, and noise is rounded and cut off at 0 and 255.
    """
    (top, left), (height, width) = _crop(frames.shape[1:3], size, cfg, rng)
    mirror = cfg.mirror and rng.random() < 0.5
    shift = [rng.uniform(-limit, limit) for limit in cfg.hls]
    bounds = rng.uniform(-cfg.noise, 0), rng.uniform(0, cfg.noise)

    view = np.empty((len(frames), *size, frames.shape[3]), np.uint8)
    for frame, out in zip(frames, view):
        part = frame[top : top + height, left : left + width]
        # Linear as the trainer; what shrinks by more than half is averaged, so as not to alias.
        part = resize(part, size, cv2.INTER_LINEAR, average_from=2)
        if mirror:
            part = cv2.flip(part, 1)
        if any(cfg.hls) and frames.shape[3] == 3:
            part = shift_hls(part, shift)
        if cfg.noise:
            part = _add_noise(part, *bounds, rng)
        out[:] = part.reshape(out.shape)  # cv2 drops a last axis of 1
    return view


def _crop(have, size, cfg, rng):
    """(top, left), (height, width) of the part of frames of `have` pixels that a view shows.

    In whole pixels of the frame: only that part is then resized to `size`.
    """
    wide = np.mean(rng.uniform(*cfg.aspect, 2))
    if rng.random() < 0.5:
        wide = 1 / wide
    shape = have[0] / wide, have[1] * wide
    # A frame narrower than the view is enlarged further, until it holds it.
    factor = max(rng.uniform(*cfg.scale) / min(shape), size[0] / shape[0], size[1] / shape[1])
    seen = [
        min(there, max(1, round(pixels / (length * factor) * there)))
        for pixels, length, there in zip(size, shape, have)
    ]
    return [int(rng.integers(n - k + 1)) for n, k in zip(have, seen)], seen


def _add_noise(picture, low, high, rng):
    """Noise from `low` to `high`, each channel of each pixel its own."""
    # One random byte a number: pixels are rounded, so 256 values between the bounds are enough.
    chance = np.frombuffer(rng.bytes(picture.size), np.uint8).reshape(picture.shape)
    step = (high - low) / 256
    return cv2.addWeighted(picture, 1, chance, step, low + step / 2)
