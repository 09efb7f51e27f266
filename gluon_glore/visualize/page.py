"""The page of `show`: all that was seen as numbers in one HTML file, which needs nothing else."""

import base64
import json
from pathlib import Path

import numpy as np

from ..data.image import encode_png

_TEMPLATE = Path(__file__).with_name("page.html")
_PLACE = "/*DATA*/null"  # of the numbers in the template


def make_page(model, sights, shown):
    """HTML of some `show.Sight`s of the network `model`: text.

    `shown` has the numbers of the nodes that stand first, a list for each picture's units.
    """
    data = {
        "model": model,
        "units": [_unit(view) for view in sights[0].units],
        "pictures": [_picture(*pair) for pair in zip(sights, shown)],
    }
    # "</script>" in a class's name must not end the script.
    numbers = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    return _TEMPLATE.read_text(encoding="utf-8").replace(_PLACE, numbers)


def _unit(view):
    """What does not depend on the picture."""
    adjacency = [quantized(weights, np.int16) for weights in view.adjacency]
    return {"name": view.name, "nodes": view.nodes, "adjacency": adjacency}


def _picture(sight, shown):
    png = base64.b64encode(
        encode_png(np.squeeze(sight.seen, 2) if sight.seen.shape[2] == 1 else sight.seen)
    )
    return {
        "name": sight.place.name,
        "image": f"data:image/png;base64,{png.decode()}",
        "size": sight.seen.shape[:2],
        "top": [[name, round(number, 4)] for name, number in sight.top],
        "figure": sight.figure,
        "units": [_seen(*pair) for pair in zip(sight.units, shown)],
    }


def _seen(view, shown):
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
    """Numbers as integers of a `kind`, little-endian in base64, and what one of them is worth.

    The largest of either sign is the kind's own largest; with `each` for every row of the first
    axis apart, and `scale` is a list.
    """
    values = np.asarray(values, np.float64)
    most = np.iinfo(kind).max
    axes = tuple(range(1, values.ndim)) if each else None
    scale = np.abs(values).max(axis=axes, keepdims=True) / most
    whole = np.rint(values / np.where(scale > 0, scale, 1)).astype(np.dtype(kind).newbyteorder("<"))
    scale = [float(f"{s:.6g}") for s in scale.ravel()]
    return {
        "base64": base64.b64encode(whole.tobytes()).decode(),
        "scale": scale if each else scale[0],
    }
