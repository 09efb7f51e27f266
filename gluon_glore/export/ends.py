"""What an exported graph computes around a network: its input's pixels, its output's softmax."""

import mxnet as mx
import numpy as np

from ..utils.errors import InputError
from ..weights.names import PIXELS
from .logits import without_softmax


def prepare(x, manifest):
    """The prepared pixels `(B, C, *space)` of a batch of the deployment's input, as numpy."""
    deployment, preprocess = manifest.deployment, manifest.preprocess
    if not deployment.takes_pictures:
        return x
    planes = x if deployment.channels_first else np.moveaxis(x, -1, 1)
    mean = _by_channel(preprocess.mean, x.ndim)
    return (planes - mean) * _by_channel(preprocess.scales, x.ndim)


def with_ends(symbol, arrays, manifest):
    """(symbol, arrays) of a deployment, of those from prepared pixels to logits."""
    symbol, arrays = _with_pixels(symbol, arrays, manifest)
    if manifest.deployment.probabilities:
        symbol = mx.sym.softmax(symbol, axis=1, name=manifest.deployment.output)
    return symbol, arrays


def without_end(symbol, files):
    """The symbol of an exported folder up to its logits.

    Raises InputError where its manifest says probabilities, and there is no softmax.
    """
    if not files.manifest.deployment.probabilities:
        return symbol
    axes = len(files.output_shape(files.sample_shape))
    logits, dropped = without_softmax(symbol, lambda logits: axes)
    if not dropped:
        raise InputError("its manifest says probabilities, its last operator is no softmax")
    return logits


def _with_pixels(symbol, arrays, manifest):
    """(symbol, arrays), which normalise their input themselves where that is pictures."""
    if not manifest.deployment.takes_pictures:
        return symbol, arrays
    axes = len(manifest.deployment.shape)
    preprocess = manifest.preprocess
    mean = _by_channel(preprocess.mean, axes)
    x = mx.sym.cast(mx.sym.var("data"), dtype="float32", name="preprocess_cast")
    if not manifest.deployment.channels_first:
        order = (0, axes - 1, *range(1, axes - 1))
        x = mx.sym.transpose(x, axes=order, name="preprocess_planes")
    center = mx.sym.var(PIXELS[0], shape=mean.shape)  # Module can't infer it
    x = mx.sym.broadcast_sub(x, center, name="preprocess_center")
    arrays = {**arrays, f"arg:{PIXELS[0]}": mx.nd.array(mean)}
    if isinstance(preprocess.scale, tuple):
        scale = _by_channel(preprocess.scale, axes)
        factor = mx.sym.var(PIXELS[1], shape=scale.shape)
        x = mx.sym.broadcast_mul(x, factor, name="preprocess_scaled")
        arrays[f"arg:{PIXELS[1]}"] = mx.nd.array(scale)
    else:
        x = x * preprocess.scale
    return symbol(data=x), arrays


def _by_channel(values, axes):
    """Numbers, one for all channels or one a channel, as an array of `axes` axes."""
    return np.array(values, "float32").reshape(1, -1, *(1,) * (axes - 2))
