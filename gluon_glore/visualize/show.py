"""What a network's GloRe units see in pictures: written as pictures and as one page to explore."""

import contextlib
import math
from dataclasses import dataclass, replace
from typing import List, Optional, Tuple

import numpy as np

from ..data.image import write_png
from ..data.sources import Place, open_sources
from ..inference.classify import likeliest, softmax
from ..utils.errors import InputError, naming
from ..utils.files import write_text
from .output_folder import OutputFolder
from .page import make_page
from .unit_pictures import paint_adjacency, paint_graph, paint_maps
from .unit_view import UnitView

PAGE = "index.html"


@dataclass(frozen=True)
class PictureView:
    """What a network made of a picture: `top` are its first classes, `units` what its units saw.

    `pixels` is the part of the picture that the network sees, uint8 `(H, W, C)`. `figure` names the
    numbers in `top`: "probability", or "share" of the picture's pixels.
    """

    place: Place
    pixels: np.ndarray
    top: List[Tuple[str, float]]
    figure: str
    units: List[UnitView]


@dataclass(frozen=True)
class NodeChoice:
    """Which nodes are shown first: the given `nodes`, else the `strongest` so many."""

    strongest: int = 8
    nodes: Optional[Tuple[int, ...]] = None

    def of(self, view) -> List[int]:
        """The chosen nodes of a `UnitView`. Raises InputError where it has no such node."""
        return view.strongest(self.strongest) if self.nodes is None else view.pick(self.nodes)


def crop_to(picture, preprocess, cover):
    """The part of a picture that the network sees: resized and cropped, uint8 `(H, W, C)`.

    With `cover`, a picture is enlarged where it would be too small for the crop. Raises InputError
    on a wrong size or depth.
    """
    if cover:
        sides = picture.shape[:2]
        ratio = max(wanted / side for wanted, side in zip(preprocess.size, sides))
        short = max(preprocess.resize, math.ceil(min(sides) * ratio))
        preprocess = replace(preprocess, resize=short)
    return preprocess.crop(picture)


def find_units(net, name=None):
    """The GloRe units of a `Network`, all or the one called `name`: `{name: block}`.

    Raises InputError where it is not a network of pictures, has no units, or none of that name.
    """
    from .unit_activations import glore_units

    if net.spec.ndim != 2:
        raise InputError(f"{net.spec.name} sees {net.spec.ndim} dimensions: show is for pictures")
    try:
        units = glore_units(net)
    except InputError as error:
        raise InputError(f"{net.spec.name}: {error}, which show draws") from None
    if name is None:
        return units
    if name not in units:
        raise InputError(f"{net.spec.name} has no unit {name}, but {', '.join(units)}")
    return {name: units[name]}


def view_picture(net, manifest, units, item, size=None, top=5) -> PictureView:
    """Run a network on a picture (sources.Item), of which it sees `size` (H, W) pixels.

    `units` are some of `find_units`. Raises InputError, naming the picture, where it can't be used.
    """
    from .unit_activations import record_units

    preprocess = manifest.preprocess.resized(size) if size else manifest.preprocess
    # A network that labels pixels does not resize pictures: of a large one it would see the middle.
    cover = size is not None or net.spec.head is not None
    with _naming_picture(item.place):
        pixels = crop_to(item.read(preprocess.channels), preprocess, cover)
        x = preprocess.normalize(np.ascontiguousarray(pixels))
        output, views = record_units(net, x, units)
    if output.ndim == 1:
        figure, shares = "probability", softmax(output)
    else:
        labels = output.argmax(axis=0).ravel()
        figure, shares = "share", np.bincount(labels, minlength=len(output)) / labels.size
    best = likeliest(shares, manifest.class_names, top)
    return PictureView(item.place, pixels, best, figure, views)


def show(net, manifest, names, out, unit=None, choice=None, size=None, top=5):
    """Write pictures of what GloRe units see, and a page of them, into the folder `out`.

    `net` and `manifest` come from `load_network`; `names` are pictures and folders of them, `unit`
    is the name of one of the network's units (default: all), `choice` a `NodeChoice`, `size` (H, W)
    how many pixels of a picture the network sees. Returns lines of text: each picture, its units'
    first nodes, and the page's path. Raises InputError, before anything is written, where something
    can't be used.
    """
    choice = choice or NodeChoice()
    units = find_units(net, unit)
    places, items = open_sources(names)
    if places is None:
        raise InputError("show takes pictures and folders of them, no videos and no streams")
    net.spec.check_input(size or manifest.preprocess.size)
    pictures = [view_picture(net, manifest, units, item, size, top) for item in items]
    shown = [[choice.of(view) for view in picture.units] for picture in pictures]
    folder = OutputFolder(out)
    files = []
    for picture in pictures:
        with _naming_picture(picture.place):
            files.append(folder.name(picture.place))
    for view in pictures[0].units:
        write_png(folder.path / f"{view.name}_adjacency.png", paint_adjacency(view))
    lines = []
    for picture, file, nodes_of in zip(pictures, files, shown):
        name, (best, number) = picture.place.name, picture.top[0]
        caption = f"{best} {number:.1%}"
        lines.append(f"{name}  {caption}")
        for view, nodes in zip(picture.units, nodes_of):
            maps = paint_maps(view, picture.pixels, nodes, name, caption)
            write_png(folder.path / f"{file}_{view.name}_maps.png", maps)
            graph = paint_graph(view, picture.pixels, nodes)
            write_png(folder.path / f"{file}_{view.name}_graph.png", graph)
            lines.append(_line(view, nodes))
    page = folder.path / PAGE
    with naming(page):
        write_text(page, make_page(manifest.model, pictures, shown))
    return [*lines, f"written: {page}"]


@contextlib.contextmanager
def _naming_picture(place):
    """Name the picture in an InputError that is raised inside."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place.file}: {error}") from None


def _line(view, nodes, limit=8):
    """The first nodes of a unit and their strengths as a line of text."""
    strength = view.strength
    words = ", ".join(f"{node} {strength[node]:.1%}" for node in nodes[:limit])
    return f"  {view.name}  nodes {words}"
