"""The page of `show`: all its pictures and numbers in one HTML file, which loads nothing else."""

import base64
import json
from pathlib import Path

import numpy as np

from ..data.image import encode_png
from ..utils.files import open_file

_PARTS = ("page.css", "page.js")  # beside page.html, in which each has a comment of its name
_DATA = "/*DATA*/null"  # in the script, where the numbers belong
_META = '<meta name="network" content="{}">'  # says in a page whose it is
_HEAD = 4096  # bytes that have it


def make_page(model, network, pictures, views, shown, colors):
    """The HTML text for some `show.PictureView`s of a network called `model`.

    `network` is its digest, which `is_page_of` finds again. `views` are the `UnitView`s of its
    units, of all the pictures, and `shown[i][j]` lists the nodes that the page shows first for unit
    j of picture i. `colors` is a `SignColors`.
    """
    data = {
        "model": model,
        "colors": colors._asdict(),
        "units": [_unit(view) for view in views],
        "pictures": [
            _picture(
                picture, [_unit_in_picture(view, i, nodes) for view, nodes in zip(views, all_)]
            )
            for i, (picture, all_) in enumerate(zip(pictures, shown))
        ],
    }
    # "</script>" in a class's name must not end the script.
    numbers = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    page = _read("page.html").replace(_META.format(""), _META.format(network))
    for part in _PARTS:
        page = page.replace(f"/*{part}*/", _read(part))
    return page.replace(_DATA, numbers)


def is_page_of(path, network):
    """Whether a file is a page of the network of that digest. Raises InputError as `open_file`."""
    with open_file(path) as file:
        return _META.format(network).encode() in file.read(_HEAD)


def _read(name):
    """A file beside this one."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _unit(view):
    """What the page knows of a unit, whatever the picture."""
    adjacency = [quantized(weights, np.int16) for weights in view.adjacency]
    return {"name": view.name, "nodes": view.nodes, "adjacency": adjacency}


def _picture(picture, units):
    """What the page knows of a picture, and of the `units` in it."""
    pixels = picture.pixels
    png = base64.b64encode(encode_png(np.squeeze(pixels, 2) if pixels.shape[2] == 1 else pixels))
    return {
        "name": picture.place.name,
        "image": f"data:image/png;base64,{png.decode()}",
        "size": pixels.shape[:2],
        "top": [[name, round(number, 4)] for name, number in picture.top],
        "figure": picture.figure,
        "units": units,
    }


def _unit_in_picture(view, i, shown):
    """What the page knows of a unit in picture i."""
    maps = {"maps": quantized(view.maps[i], np.int8, each=True)}
    if view.reverse is not None:
        maps["reverse"] = quantized(view.reverse[i], np.int8, each=True)
    return {
        "size": view.maps.shape[2:],
        "shown": shown,
        "strength": [round(float(share), 5) for share in view.strength[i]],
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
