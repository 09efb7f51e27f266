"""What a network's GloRe units see in pictures: written as pictures and as one page to explore."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple

import numpy as np

from ..data.image import write_png
from ..data.sources import Place
from ..inference.classify import likeliest, softmax
from ..utils.errors import InputError, naming
from ..utils.files import write_text
from ..weights.manifest import clip_of, labels_pixels, spec_of
from .output_folder import OutputFolder, naming_picture, put_aside
from .page import is_page_of, make_page
from .signed_colors import DEFAULT, colors_of
from .unit_pictures import paint_adjacency, paint_graph, paint_maps

PAGE = "index.html"


@dataclass(frozen=True)
class PictureView:
    """What a network made of a picture: `top` are its first classes.

    `pixels` is the part of the picture that the network sees, uint8 `(H, W, C)`. `figure` names the
    numbers in `top`: "probability", or "share" of the picture's pixels.
    """

    place: Place
    pixels: np.ndarray
    top: List[Tuple[str, float]]
    figure: str


@dataclass(frozen=True)
class NodeChoice:
    """Which nodes are shown first: the given `nodes`, else the `strongest` so many."""

    strongest: int = 8
    nodes: Optional[Tuple[int, ...]] = None

    def of(self, view, picture) -> List[int]:
        """The chosen nodes of a `UnitView` in a picture. Raises InputError where it has none."""
        if self.nodes is None:
            return view.strongest(self.strongest, picture)
        return view.pick(self.nodes)


def show(
    net,
    manifest,
    names,
    out,
    unit=None,
    choice=None,
    size=None,
    top=5,
    colors=DEFAULT,
    force=False,
):
    """Write pictures of what GloRe units see, and a page of them, into the folder `out`.

    `net` and `manifest` come from `load_network`; `names` are pictures and folders of them, `unit`
    is the name of one of the network's units (default: all), `choice` a `NodeChoice`, `size` (H, W)
    how many pixels of a picture the network sees, `colors` a row of `signed_colors.COLORS`. A
    folder that has a page of another network is refused; with `force` it is kept under another
    name. Returns lines of text: each picture, its units' first nodes, and the page's path. Raises
    InputError, before anything is written, where something can't be used.
    """
    from .look import open_pictures, see

    choice, sign_colors = choice or NodeChoice(), colors_of(colors)
    recorder = _recorder(net, manifest, unit)
    network = recorder.digest
    foreign = _has_other_page(out, network)
    if foreign and not force:
        raise InputError(
            f"{Path(out) / PAGE} is a page of another network, or of other weights: give another "
            "folder, or --force, which keeps this one beside the new one"
        )
    items = list(open_pictures(names))
    takes_pictures = manifest.deployment is not None and manifest.deployment.takes_pictures
    output, views = see(
        recorder, items, manifest.preprocess, size, labels_pixels(manifest), takes_pictures
    )
    views = list(views.values())
    pictures = [
        PictureView(item.place, pixels, *_first_classes(one, manifest.class_names, top))
        for item, pixels, one in zip(items, views[0].pictures, output)
    ]
    shown = [[choice.of(view, i) for view in views] for i in range(len(pictures))]
    lines = []
    if foreign:
        out = Path(out).resolve()  # "." would go with the folder
        lines.append(f"kept: {put_aside(out)}, with the page that was there")
    folder = OutputFolder(out)
    lines += _write_pictures(folder, pictures, views, shown, sign_colors)
    page = folder.path / PAGE
    with naming(page):
        write_text(page, make_page(manifest.model, network, pictures, views, shown, sign_colors))
    return [*lines, f"written: {page}"]


def _write_pictures(folder, pictures, views, shown, colors):
    """Write the PNG files; returns a line for each picture and for each unit in it.

    Raises InputError where two pictures have one name, before anything is written.
    """
    files = []
    for picture in pictures:
        with naming_picture(picture.place):
            files.append(folder.name(picture.place))
    for view in views:
        write_png(folder.path / f"{view.name}_adjacency.png", paint_adjacency(view, colors))
    lines = []
    for i, (picture, file) in enumerate(zip(pictures, files)):
        name, (best, number) = picture.place.name, picture.top[0]
        caption = f"{best} {number:.1%}"
        lines.append(f"{name}  {caption}")
        for view, nodes in zip(views, shown[i]):
            maps = paint_maps(view, i, nodes, colors, name, caption)
            write_png(folder.path / f"{file}_{view.name}_maps.png", maps)
            graph = paint_graph(view, i, nodes, colors)
            write_png(folder.path / f"{file}_{view.name}_graph.png", graph)
            lines.append(_line(view, i, nodes))
    return lines


def _recorder(net, manifest, unit):
    """The `UnitRecorder` of a network of pictures, for all its units or one.

    Raises InputError naming the network where it takes no pictures, or as `UnitRecorder` does.
    """
    from .unit_recorder import UnitRecorder

    spec = spec_of(manifest)
    if clip_of(manifest) or spec and spec.ndim != 2:
        seen = f"{spec.ndim} dimensions" if spec else "videos"
        raise InputError(f"{manifest.model} sees {seen}: show is for pictures")
    try:
        return UnitRecorder(net, unit)
    except InputError as error:
        raise InputError(f"{manifest.model}: {error}") from None


def _has_other_page(folder, network):
    """Whether a folder has a page, or another file of that name, that is not of the network."""
    page = Path(folder) / PAGE
    return os.path.lexists(page) and not is_page_of(page, network)


def _first_classes(output, class_names, top):
    """The first classes of a picture's output, and what their numbers are: `PictureView`'s."""
    if output.ndim == 1:
        return likeliest(softmax(output), class_names, top), "probability"
    labels = output.argmax(axis=0).ravel()
    shares = np.bincount(labels, minlength=len(output)) / labels.size
    return likeliest(shares, class_names, top), "share"


def _line(view, picture, nodes, limit=8):
    """The first nodes of a unit in a picture, and their strengths, as a line of text."""
    strength = view.strength[picture]
    words = ", ".join(f"{node} {strength[node]:.1%}" for node in nodes[:limit])
    return f"  {view.name}  nodes {words}"
