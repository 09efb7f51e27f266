"""`look`: what the GloRe units of any network see in pictures, as arrays and for a notebook."""

import dataclasses
import math
import os
from typing import Dict

import mxnet as mx
import numpy as np

from ..data.image import Preprocess
from ..data.sources import Item, Place, open_sources
from ..networks.network import Network
from ..utils.errors import InputError, shown
from .output_folder import naming_picture
from .unit_recorder import UnitRecorder
from .unit_view import UnitView

_BATCH = 8  # pictures in one forward


def look(net, pictures, preprocess=None, size=None) -> Dict[str, UnitView]:
    """What a network's GloRe units see in pictures: `{name of the unit: UnitView}`.

    `net` is a `Network`, any HybridBlock with `GloRe` units in it, or a SymbolBlock of such a
    graph. It is left as it is, hybridized or not.

    `pictures` are files and folders of them, uint8 arrays `(H, W, C)`, or several of these: they
    become the network's input as `preprocess` says, a `Preprocess` (default: the network's own,
    `net.preprocess`). With `size` (H, W) the network sees so many pixels, and smaller pictures are
    enlarged. An `mx.nd.NDArray` is a batch of its input as it is, `(B, C, *space)`, of pictures,
    clips or sequences.

    Raises InputError where the network has no units or no values, a picture can't be used, nothing
    says how it is prepared, or numbers are not finite.
    """
    recorder = UnitRecorder(net)
    if isinstance(pictures, mx.nd.NDArray):
        if preprocess is not None or size is not None:
            raise InputError("an NDArray is the network's input as it is: no preprocess, no size")
        return recorder.record(batches(pictures))[1]
    preprocess = preprocess or getattr(net, "preprocess", None)
    if not isinstance(preprocess, Preprocess):
        raise InputError(
            "how pictures become the network's input is a Preprocess, given "
            f"{shown(preprocess)}: say preprocess=Preprocess(...), or give an mx.nd.NDArray"
        )
    labels_pixels = isinstance(net, Network) and net.spec.head is not None
    return see(recorder, list(_items(pictures)), preprocess, size, labels_pixels)[1]


def see(recorder, items, preprocess, size=None, labels_pixels=False, takes_pictures=False):
    """Run a `UnitRecorder` on pictures (sources.Item): (its first output, `{unit: UnitView}`).

    The network sees `size` (H, W) pixels of each, default `preprocess.size`. With a `size`, a
    picture is enlarged where it would be too small. One that `labels_pixels` does not resize
    pictures, and would see the middle of a large one: it is made smaller here. One that
    `takes_pictures` prepares them itself. Raises InputError, naming the picture where it is one's.
    """
    preprocess = preprocess.resized(tuple(size)) if size else preprocess
    cover = labels_pixels or size is not None
    pixels = []
    for item in items:
        with naming_picture(item.place):
            picture = item.read(preprocess.channels)
            pixels.append(crop_to(picture, preprocess, cover))
    pixels = np.array(pixels)
    prepare = np.asarray if takes_pictures else preprocess.normalize
    inputs = (np.stack([prepare(picture) for picture in some]) for some in batches(pixels))
    output, views = recorder.record(mx.nd.array(x, dtype=x.dtype) for x in inputs)
    return output, {n: dataclasses.replace(view, pictures=pixels) for n, view in views.items()}


def batches(array):
    """An array in parts along its first axis, each small enough for one forward."""
    return (array[start : start + _BATCH] for start in range(0, len(array), _BATCH))


def crop_to(picture, preprocess, cover):
    """The part of a picture that the network sees: resized and cropped, uint8 `(H, W, C)`.

    With `cover`, a picture is enlarged where it would be too small for the crop. Raises InputError
    on a wrong size or depth.
    """
    if cover:
        sides = picture.shape[:2]
        ratio = max(wanted / side for wanted, side in zip(preprocess.size, sides))
        short = max(preprocess.resize, math.ceil(min(sides) * ratio))
        preprocess = dataclasses.replace(preprocess, resize=short)
    return preprocess.crop(picture)


def _items(pictures):
    """Yield an Item of each picture: files, those of folders, and uint8 arrays `(H, W, C)`.

    Raises InputError where something is neither.
    """
    one = isinstance(pictures, (str, os.PathLike))
    one = one or isinstance(pictures, np.ndarray) and pictures.ndim != 4
    for i, picture in enumerate([pictures] if one else pictures):
        if isinstance(picture, (str, os.PathLike)):
            yield from open_pictures([os.fspath(picture)])
        elif isinstance(picture, np.ndarray) and picture.dtype == np.uint8:
            name = f"picture {i}"
            yield Item(Place(name, name), lambda channels, picture=picture: picture)
        else:
            given = getattr(picture, "dtype", shown(picture))
            raise InputError(
                f"a picture is a file or a uint8 array (H, W, C), given {given}; the network's "
                "input itself is an mx.nd.NDArray"
            )


def open_pictures(names):
    """The Items of pictures and folders of them. Raises InputError for a video or a stream."""
    places, items = open_sources(names)
    if places is None:
        raise InputError("pictures and folders of them can be shown, no videos and no streams")
    return items
