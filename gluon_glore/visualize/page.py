"""The page of `show`: all its pictures and numbers in one HTML file, which loads nothing else."""

import base64
import json
from pathlib import Path

import numpy as np

from ..data.image import encode_png

_TEMPLATE = Path(__file__).with_name("page.html")
_PLACEHOLDER = "/*DATA*/null"  # in the template, where the numbers belong


def make_page(model, pictures, shown):
    """The HTML text for some `show.PictureView`s of the network `model`.

    `shown[i][j]` lists the nodes that the page shows first for unit j of picture i.
    """
    data = {
        "model": model,
        "units": [_unit(view) for view in pictures[0].units],
        "pictures": [_picture(*pair) for pair in zip(pictures, shown)],
    }
    # "</script>" in a class's name must not end the script.
    numbers = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace(_PLACEHOLDER, numbers)


def _unit(view):
    """What the page knows of a unit, whatever the picture."""
    adjacency = [quantized(weights, np.int16) for weights in view.adjacency]
    return {"name": view.name, "nodes": view.nodes, "adjacency": adjacency}


def _picture(picture, shown):
    """What the page knows of a picture and of each unit in it."""
    pixels = picture.pixels
    png = base64.b64encode(encode_png(np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels))
    return {
        "name": picture.place.name,
        "image": f"data:image/png;base64,{png.decode()}",
        "size": pixels.shape[:2],
        "top": [[name, round(number, 4)] for name, number in picture.top],
        "figure": picture.figure,
        "units": [_unit_in_picture(*pair) for pair in zip(picture.units, shown)],
    }


def _unit_in_picture(view, shown):
    """What the page knows of a unit in one picture."""
    maps = {"mask": quantized(view.mask, np.int8, each=True)}
    if view.reverse is not None:
        maps["reverse"] = quantized(view.reverse, np.int8, each=True)
    return {
        "size": view.mask.shape[1:],
        "shown": shown,
        "strength": [round(float(share), 5) for share in view.strength],
        **maps,
    }


def quantized(values, kind, each=False):
    """Numbers as integers of a `kind`, in base64, little-endian, and the `scale` to multiply by.

    The largest number, whatever its sign, becomes the largest integer of that kind. With `each`,
    every row of the first axis has a scale of its own, and `scale` is a list.
    """
    values = np.asarray(values, np.float64)
    largest = np.iinfo(kind).max
    axes = tuple(range(1, values.ndim)) if each else None
    scale = np.abs(values).max(axis=axes, keepdims=True) / largest
    whole = np.rint(values / np.where(scale > 0, scale, 1)).astype(np.dtype(kind).newbyteorder("<"))
    scale = [float(f"{s:.6g}") for s in scale.ravel()]
    return {
        "base64": base64.b64encode(whole.tobytes()).decode(),
        "scale": scale if each else scale[0],
    }
