"""Mixed training pictures: mixup and CutMix, of pictures `(C, H, W)` and clips `(C, T, H, W)`.

H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018,
https://arxiv.org/abs/1710.09412; S. Yun et al., "CutMix", ICCV 2019,
https://arxiv.org/abs/1905.04899.

A batch has one lambda, and CutMix one box, a pure function of (seed, epoch, step). Samples 2k and
2k + 1 of a step are each other's partners: a rank's share of a step is a contiguous part of it, so
that the same pictures are mixed however many ranks there are, if each has whole pairs.
"""

import math

import numpy as np

from gluon_glore.utils.errors import InputError

from .batches import steps_per_epoch

_STREAM = 1710  # what sets these random numbers apart from those of the samples' order and views


def check_mix(config, samples, ranks):
    """Raise InputError where a run's `mix` section can't be done with so many samples and ranks."""
    mix, optim = config.mix, config.optim
    if not mix.on:
        return
    share = optim.batch_size // ranks
    if share % 2:
        raise InputError(
            f"config keys mix.mixup and mix.cutmix mix the pictures of a process by two: "
            f"optim.batch_size {optim.batch_size} on {ranks} must be an even number for each, "
            f"given {share}"
        )
    epochs = _epochs(optim, samples)
    if mix.off_epochs >= epochs:
        raise InputError(
            f"config key mix.off_epochs must be below the run's {epochs} epochs, given "
            f"{mix.off_epochs}"
        )


def mixed(batches, config, classes, samples, epoch, start=0):
    """Yield `(pixels, targets)` of one rank's batches of an epoch, from its step `start` on.

    `batches` are `(pixels (b, C, [T,] H, W) float32, labels (b,))` of a set of so many `samples`;
    pixels are mixed where they lie. Targets are the shares of the classes, float32 `(b, classes)`;
    where a batch is not mixed, they are its labels as they came.
    """
    mix = config.mix
    if not mix.on or epoch >= _epochs(config.optim, samples) - mix.off_epochs:
        yield from batches
        return
    for step, (pixels, labels) in enumerate(batches, start):
        rng = np.random.default_rng([config.seed, epoch, step, _STREAM])
        # All are drawn, so that a key of `mix` does not change what another's drawing gives.
        chosen, cut = rng.random() < mix.share, rng.random() < mix.switch
        place = rng.random(2)
        if not chosen:
            yield pixels, labels
            continue
        cut = mix.cutmix > 0 and (cut or mix.mixup == 0)
        share = float(rng.beta(*[mix.cutmix if cut else mix.mixup] * 2))
        if cut:
            box, share = random_box(pixels.shape[-2:], share, place)
            exchange(pixels, box)
        else:
            blend(pixels, share)
        yield pixels, soft_targets(labels, share, classes)


def blend(pixels, share):
    """Make every picture `share` of its own and 1 - `share` of its partner's, where it lies."""
    moved = np.empty_like(pixels[0])  # one picture: it stays in the processor's cache
    for one, other in zip(pixels[0::2], pixels[1::2]):
        np.subtract(one, other, out=moved)
        moved *= np.float32(1 - share)
        one -= moved
        other += moved


def random_box(size, share, place):
    """((top, bottom, left, right), lambda) of a box that leaves about `share` of a picture.

    `size` is (height, width), `place` two numbers from 0 to 1 that say where the centre is. The box
    ends with the picture, and lambda is what it leaves, to the pixel.
    """
    side = math.sqrt(1 - share)
    ends = []
    for length, centre in zip(size, place):
        half, middle = int(length * side) // 2, int(length * centre)
        ends += [max(0, middle - half), min(length, middle + half)]
    top, bottom, left, right = ends
    return tuple(ends), 1 - (bottom - top) * (right - left) / (size[0] * size[1])


def exchange(pixels, box):
    """Exchange a box of all pictures, in all frames, with their partners' where they lie."""
    top, bottom, left, right = box
    part = pixels[..., top:bottom, left:right]
    own = part[0::2].copy()
    part[0::2] = part[1::2]
    part[1::2] = own


def soft_targets(labels, share, classes):
    """Targets of samples that are `share` of their own class and the rest of their partner's.

    Labels `(b,)` -> `(b, classes)`, float32; each row adds up to 1.
    """
    own = labels.astype(np.int64)
    partners = own.reshape(-1, 2)[:, ::-1].ravel()
    targets, rows = np.zeros((len(own), classes), np.float32), np.arange(len(own))
    targets[rows, own] = share
    targets[rows, partners] += np.float32(1 - share)
    return targets


def _epochs(optim, samples):
    """The epochs of a whole run, the last of which may be a part."""
    steps = steps_per_epoch(samples, optim.batch_size)
    return math.ceil(optim.run_steps(steps) / steps)
