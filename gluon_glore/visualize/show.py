"""`show`: what a network's GloRe units see in pictures, as pictures and one page to look around."""

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
from .output_folder import NamedFolder
from .page import make_page
from .unit_pictures import paint_adjacency, paint_graph, paint_maps
from .unit_view import UnitView

PAGE = "index.html"


@dataclass(frozen=True)
class Sight:
    """What a network made of a picture: `seen` is uint8 `(H, W, C)`, `top` its first classes.

    `figure` says what is told of these: their probability, or their share of the picture.
    """

    place: Place
    seen: np.ndarray
    top: List[Tuple[str, float]]
    figure: str
    units: List[UnitView]


@dataclass(frozen=True)
class Choice:
    """Which nodes are shown first: those of the numbers `nodes`, else the `strongest` ones."""

    strongest: int = 8
    nodes: Optional[Tuple[int, ...]] = None

    def of(self, view) -> List[int]:
        """The nodes of a `UnitView`. Raises InputError where it has no node of that number."""
        return view.strongest(self.strongest) if self.nodes is None else view.pick(self.nodes)


def crop_to(picture, preprocess, cover):
    """What the network sees of a picture uint8 `(H, W, C)`, a `Preprocess`'s share of it.

    With `cover` a picture is resized further where it would be too small for that. Raises
    InputError on a wrong size or depth.
    """
    if cover:
        sides = picture.shape[:2]
        ratio = max(wanted / side for wanted, side in zip(preprocess.size, sides))
        short = max(preprocess.resize, math.ceil(min(sides) * ratio))
        preprocess = replace(preprocess, resize=short)
    return preprocess.crop(picture)


def find_units(net, name=None):
    """The units to show of a `Network`, all or the one called `name`: `{name: block}`.

    Raises InputError where the network is none of pictures, has no units, or none of that name.
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


def see(net, manifest, units, item, size=None, top=5) -> Sight:
    """A `Sight` of a picture (sources.Item), of the `size` (H, W) that the network sees.

    `units` are some of `find_units`. Raises InputError, naming the picture, where it can't.
    """
    from .unit_activations import look

    preprocess = manifest.preprocess.resized(size) if size else manifest.preprocess
    # Else a network that labels pixels would see but the middle of a picture that comes as it is.
    cover = size is not None or net.spec.head is not None
    with _said_of(item.place):
        seen = crop_to(item.read(preprocess.channels), preprocess, cover)
        output, views = look(net, preprocess.normalize(np.ascontiguousarray(seen)), units)
    if output.ndim == 1:
        figure, shares = "probability", softmax(output)
    else:
        labels = output.argmax(axis=0).ravel()
        figure, shares = "share", np.bincount(labels, minlength=len(output)) / labels.size
    return Sight(item.place, seen, likeliest(shares, manifest.class_names, top), figure, views)


def show(net, manifest, names, out, unit=None, choice=None, size=None, top=5):
    """Write pictures of what GloRe units see, and a page of them, into the folder `out`.

    `net` and `manifest` are `load_network`'s, `names` pictures and folders of them, `unit` one of
    the network's (default: all), `choice` a `Choice`, `size` that of what the network sees, (H, W)
    in pixels. Returns lines of text: each picture, its units' first nodes, and the page's path.
    Raises InputError, before anything is written, where something can't be used.
    """
    choice = choice or Choice()
    units = find_units(net, unit)
    places, items = open_sources(names)
    if places is None:
        raise InputError("show takes pictures and folders of them, no videos and no streams")
    net.spec.check_input(size or manifest.preprocess.size)
    sights = [see(net, manifest, units, item, size, top) for item in items]
    shown = [[choice.of(view) for view in sight.units] for sight in sights]
    folder = NamedFolder(out)
    files = []
    for sight in sights:
        with _said_of(sight.place):
            files.append(folder.name(sight.place))
    for view in sights[0].units:
        write_png(folder.path / f"{view.name}_adjacency.png", paint_adjacency(view))
    lines = []
    for sight, file, picks in zip(sights, files, shown):
        caption = f"{sight.top[0][0]} {sight.top[0][1]:.1%}"
        for view, nodes in zip(sight.units, picks):
            maps = paint_maps(view, sight.seen, nodes, sight.place.name, caption)
            write_png(folder.path / f"{file}_{view.name}_maps.png", maps)
            graph = paint_graph(view, sight.seen, nodes)
            write_png(folder.path / f"{file}_{view.name}_graph.png", graph)
        lines.append(f"{sight.place.name}  {caption}")
        lines += (_told(*pair) for pair in zip(sight.units, picks))
    page = folder.path / PAGE
    with naming(page):
        write_text(page, make_page(manifest.model, sights, shown))
    return [*lines, f"written: {page}"]


@contextlib.contextmanager
def _said_of(place):
    """Name the picture in what is refused inside."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place.file}: {error}") from None


def _told(view, nodes, most=8):
    """The first nodes of a unit in words."""
    words = ", ".join(f"{node} {view.strength[node]:.1%}" for node in nodes[:most])
    return f"  {view.name}  nodes {words}"
