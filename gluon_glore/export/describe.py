"""The manifest of a network that is not of this project: what goes in and out, and what it does.

Nothing is guessed: shapes are inferred from the network's graph, and say how many classes there
are, and whether they are of a picture, of its pixels or of a video.
"""

import sys

import numpy as np

from ..data.class_names import names_of
from ..data.clips import Clip
from ..data.pixels import HOW, Pixels
from ..data.signature import Signature
from ..utils import kinds
from ..utils.errors import InputError
from ..weights.deployment import Deployment
from ..weights.golden import BATCH
from ..weights.manifest import Manifest
from .files import LARGER
from .traced import trace


def describe(
    net, pixels, class_names=None, *, name, size=None, stride=None, rate=0.0, output=None
) -> Manifest:
    """The `Manifest` of any HybridBlock, for `export_model(net, folder, manifest)`.

    `pixels` says how pictures become its input: a `Preprocess`, `Pixels`, or the name of a set of
    them ("torchvision", which is GluonCV's). `class_names` are as many as it has classes, or the
    path of a file of them (default: numbers). `name` is what its files are called.

    `size` is (height, width) in pixels, or with the channels before it; of a network of videos
    (channels, frames, height, width), `stride` and `rate` say which frames, as those of a `Clip`.
    `output` is the number or name of the output with the logits, where there are several. The
    network needs no values yet. Notes on what is not as it was told go to stderr.

    Raises InputError where the network does not take such an input, its output is neither
    `(B, classes)` nor `(B, classes, height, width)`, or there are other classes than names.
    """
    kinds.FILE_NAME.check(name, "name")
    pixels = Pixels(pixels) if isinstance(pixels, str) else pixels
    shape = input_shape(pixels, Signature(size and tuple(size), output, stride, rate))
    traced = trace(net, (BATCH, *shape), output)
    if traced.dropped:
        say(name, f"the softmax {traced.dropped} is left out, its outputs here are logits")
    given = traced.infer_output((BATCH, *shape))
    task = _task(name, shape, given)
    preprocess = pixels.fitted(shape[0], shape[-2:], whole=task == "segment")
    if tuple(preprocess.size) != shape[-2:]:
        raise InputError(
            f"pictures are cropped to {preprocess.size}, the network's input is {shape[-2:]} "
            "(height, width): say the same"
        )
    if class_names is None:
        class_names = [str(i) for i in range(given[1])]
        say(name, f"its classes are called 0 to {given[1] - 1}, for want of names")
    manifest = Manifest(
        name,
        names_of(class_names),
        preprocess,
        task=task,
        clip=Clip(shape[1], stride, rate) if task == "recognize" else None,
        output=output,
        deployment=Deployment((None, *shape), "NC" + "DHW"[-len(shape) + 1 :], plain=True),
    )
    refuse_other_ends(traced, manifest)
    return manifest


def input_shape(pixels, signature):
    """The shape of a network's input without the batch, of its pixels and its `Signature`.

    Raises InputError where they don't say it.
    """
    if pixels is None:
        raise InputError(f"nothing says how pixels are prepared for these weights: {HOW}")
    size = signature.size or getattr(pixels, "size", None)
    if size is None:
        raise InputError(
            "--input is missing: channels x height x width of what the network takes, as "
            "3x224x224 (in Python size=)"
        )
    if len(size) > 2:
        return tuple(size)
    if pixels.channels is None:
        raise InputError(
            f"size {tuple(size)}: give the channels before it, as the mean is one number for all"
        )
    return (pixels.channels, *size)


def refuse_other_ends(traced, manifest):
    """Raise InputError where a `Traced` network is not what its manifest says.

    It takes the manifest's pixels, and gives logits of as many classes as there are names.
    """
    preprocess, clip = manifest.preprocess, manifest.clip
    shape = (preprocess.channels, *((clip.frames,) if clip else ()), *preprocess.size)
    given = traced.infer_output((BATCH, *shape))
    task = _task(manifest.model, shape, given)
    if task != manifest.task:
        raise InputError(f"{manifest.model} gives {given}, {task}, not {manifest.task}")
    if given[1] != len(manifest.class_names):
        raise InputError(
            f"{manifest.model}: {given[1]} classes, given {len(manifest.class_names)} names"
        )


def refuse_one_size(traced, manifest):
    """Raise InputError where a network takes pictures of the manifest's size only."""
    shape = list(manifest.deployment.shape)
    height, width = (n + more for n, more in zip(manifest.preprocess.size, LARGER))
    shape = (BATCH, manifest.preprocess.channels, *shape[2:-2], height, width)
    expected = (height, width) if manifest.task == "segment" else ()
    try:
        given = traced.infer_output(shape)
    except InputError:
        given = None
    if given is None or given[2:] != expected:
        size = "x".join(map(str, manifest.preprocess.size))
        raise InputError(
            f"{manifest.model} takes pictures of {size} alone, not of any size: its graph has that "
            "size in it"
        )


def refuse_probabilities(outputs, name):
    """Raise InputError where outputs `(B, classes, ...)` are probabilities already, no logits."""
    total = outputs.sum(axis=1)
    if outputs.shape[1] > 1 and outputs.min() >= 0 and np.allclose(total, 1, atol=1e-3):
        raise InputError(
            f"{name} gives probabilities, of which softmax would make others: --output (in Python "
            "output=) names the operator that gives its logits"
        )


def say(name, text):
    """Tell on stderr what was made of a network that its user may not expect."""
    print(f"{name}: {text}", file=sys.stderr)


def _task(name, shape, given):
    """What a network does that gives outputs `given` for an input of `shape` without the batch.

    Raises InputError where the shapes don't tell.
    """
    if len(given) == 2 and given[0] == BATCH:
        return "recognize" if len(shape) == 4 else "classify"
    if len(shape) == 3 and len(given) == 4 and (given[0], *given[2:]) == (BATCH, *shape[1:]):
        return "segment"
    input_shape = (BATCH, *shape)
    raise InputError(
        f"{name} gives outputs {given} for inputs {input_shape}: logits are (batch, classes), of "
        "pixels (batch, classes, height, width) of the input's own height and width"
    )
