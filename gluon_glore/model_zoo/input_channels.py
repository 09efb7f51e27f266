"""Weights for pictures of other channels than they were trained on: grey ones, or of more bands.

The rule is timm's: a first convolution of one channel gets the sum of the kernels of all, one of n
their kernels in turn, times their number / n. So a grey picture gives what it gave as R = G = B
where all channels are normalised alike.
"""

from dataclasses import replace

import numpy as np

from ..utils.errors import InputError

ADAPTED = (1, 3)  # channels of weights that are adapted: what others mean is not known


def adapt_stem(arrays, spec, params):
    """numpy's `arrays` by name, whose first convolution takes the channels of a `NetSpec`.

    Raises InputError, calling them `params`, where they can't: weights of other channels than
    `ADAPTED`, or behind a BatchNorm of the pixels, which has statistics of each channel.
    """
    name = f"{spec.stem_conv.name}__conv_weight"
    if name not in arrays or arrays[name].shape[1] == spec.in_channels:
        return arrays
    weight, channels = arrays[name], spec.in_channels
    theirs = weight.shape[1]
    if theirs not in ADAPTED:
        raise InputError(
            f"{params}: weights of {theirs} channels, of 1 or 3 they are adapted to "
            f"in_channels={channels}"
        )
    if spec.stem.norm_input:
        raise InputError(
            f"{params}: a BatchNorm of its {theirs} channels stands before the first convolution, "
            f"which can't be adapted to in_channels={channels}"
        )
    weight = weight.astype("float32")  # files may have 16 bits
    if channels == 1:
        adapted = weight.sum(axis=1, keepdims=True)
    else:
        turns = [place % theirs for place in range(channels)]
        adapted = weight[:, turns] * np.float32(theirs / channels)
    return {**arrays, name: adapted}


def adapt_preprocess(preprocess, channels):
    """A `Preprocess` for pictures of so many channels, None where nobody can know it.

    One channel has the average of the means and scales; the one of a grey picture is that of all.
    """
    if channels == preprocess.channels:
        return preprocess
    if channels != 1 and preprocess.channels != 1:
        return None
    mean, scales = (_averages(row, channels) for row in (preprocess.mean, preprocess.scales))
    scale = preprocess.scale
    return replace(preprocess, mean=mean, scale=scales if isinstance(scale, tuple) else scale)


def _averages(row, channels):
    """The average of a row of numbers, so many times."""
    return (sum(row) / len(row),) * channels
