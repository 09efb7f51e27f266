"""Import: a file of somebody else's weights becomes an entry of the model zoo."""

import contextlib
import dataclasses
import os
import pickle
import re
import tempfile
import zipfile
from pathlib import Path

from ..convert.archive import extract_release, find_release
from ..convert.compare import released_logits
from ..convert.pytorch import read_pytorch
from ..convert.tar_members import BZIP2, GZIP, XZ
from ..data.clips import Clip
from ..data.pixels import HOW
from ..networks.paper import list_models
from ..networks.registry import get_spec
from ..plan.spec import NetSpec
from ..utils.errors import InputError, naming
from ..utils.extras import require
from ..utils.files import absent, sha256
from ..weights.card import Card
from ..weights.golden import compare_logits
from ..weights.manifest import MANIFEST, Manifest, parse_manifest
from ..weights.params_file import MAGIC
from ..weights.safetensors_file import SUFFIX
from ..weights.state_file import own_manifest
from .catalogue import catalogued
from .entry import golden_input, write_entry
from .network_weights import Filling


def import_weights(
    path, directory, name=None, card=None, preprocess=None, compare=True, stride=None, rate=0.0
):
    """Import somebody else's weights as the zoo entry `directory`; returns its folder.

    `path` is an MXNet archive (.tar), its unpacked folder or its .params file beside its symbol,
    the .params file alone of a pre-activation ResNet of MXNet's or GluonCV's zoo, a PyTorch file
    (.pth), told apart by content, or a .safetensors file. MXNet's need MXNet to be read. The
    network is read off the file; `name` (default: what the file says, else the registered one of
    the same layers, or of the same units elsewhere or with another BatchNorm eps) is what the entry
    is called. `card` says where the file is from (default: what the catalogue says of a file so
    called with that network), `preprocess` how its input is made (a `Preprocess` or `Pixels`;
    default: what the manifest in the folder or file says, else the catalogue). The frames of a
    video are `stride` apart, of `rate` a second where that is not 0 (default: as the manifest says,
    else the paper's, which the card tells).
    With `compare` the released symbol itself runs once on MXNet's plain operators, and the logits
    must agree. Raises InputError where the file is damaged or hostile, or of no network here,
    naming the parameters that have no counterpart, or where nobody says its pixels.
    """
    path = Path(path)
    with tempfile.TemporaryDirectory() as temporary, _as_of(path, temporary):
        release, assumed = _release_files(path, temporary)
        beside = _manifest_in(path)
        own = beside if beside and not release else None
        name = name or (own and own.model)
        found = _read_release(release) if release else read_pytorch(path, name, own and own.spec)
        name = name or find_name(found.spec)
        spec = _named(found, _check_name(name, found.spec, path))
        row = catalogued(path, name)
        size = spec.input_size[-2:]
        preprocess = preprocess or _known_pixels(path, size, row, beside)
        preprocess = preprocess.fitted(spec.in_channels, size, spec.head is not None)
        card = card or _card_of(row, path)
        checked = ["every layer has its counterpart in the file, no parameter is left over"]
        if compare and release:
            checked.append(_compare(spec, found.arrays, release))
        if path.is_file() and not card.source_sha256:
            card = dataclasses.replace(card, source_sha256=sha256(path))
        notes = (*card.notes, *assumed, *found.notes)
        card = dataclasses.replace(card, checked=(*card.checked, *checked), notes=notes)
        classes = tuple(str(i) for i in range(found.classes))
        if beside and len(beside.class_names) == found.classes:
            classes = beside.class_names
        clip = Clip(spec.input_size[0], stride, rate) if stride else beside and beside.clip
        manifest = Manifest(name, classes, preprocess, spec=spec, card=card, clip=clip)
        return write_entry(directory, manifest, found.arrays)


def _read_release(files):
    """The network in MXNet's files. Raises InputError where they, or MXNet, can't be used."""
    require("mxnet", "cpu", "reading a network of MXNet's")
    from ..convert.mxnet_release import read_release

    return read_release(*files)


def _manifest_in(path):
    """The manifest in the folder or file `path`, as exports have one; None where there is none."""
    if (path / MANIFEST).is_file():
        return parse_manifest(path / MANIFEST)
    return own_manifest(path)


def _known_pixels(path, size, row, beside):
    """The `Preprocess` that a manifest or the catalogue says. Raises InputError where none does."""
    if beside:
        return beside.preprocess
    if row and row.preprocess:
        return row.preprocess.resized(size)
    raise InputError(f"{path}: neither it nor the catalogue says its pixels: {HOW}")


def _card_of(row, path):
    """A file's card: what the catalogue's row says, where there is one."""
    if row is None:
        return Card(str(path))
    note = f"origin, licence and claim are the catalogue's of a file so called: {row.source}"
    return Card(
        str(path), origin=row.origin, licence=row.licence, claimed=row.claimed, notes=(note,)
    )


@contextlib.contextmanager
def _as_of(path, temporary):
    """Name the archive, not the file unpacked to `temporary`, in what is raised inside."""
    try:
        yield
    except InputError as error:
        inside = str(error).replace(f"{temporary}{os.sep}", "")
        raise InputError(str(error) if inside == str(error) else f"{path}: {inside}") from None


def _release_files(path, temporary):
    """((symbol, parameter file), lines of what is assumed) of the MXNet network at `path`.

    None is in the place of the files where it is a PyTorch file. Raises InputError where it is
    neither.
    """
    if path.is_dir():
        return find_release(path), ()
    if not path.is_file():
        raise InputError(f"{path}: {absent(path, 'file')}")
    with naming(path), open(path, "rb") as file:
        head = file.read(512)
    if head.startswith(MAGIC):
        prefix = re.sub(r"-\d{4,9}$", "", path.stem)  # of PREFIX-0000.params
        symbol = path.with_name(f"{prefix}-symbol.json")
        if symbol.is_file():
            return (symbol, path), ()
        require("mxnet", "cpu", f"{path}: reading a network of MXNet's")
        from ..convert.gluon_zoo import write_release

        *release, assumed = write_release(path, temporary, symbol.name)
        return release, (assumed,)
    if path.suffix == SUFFIX or zipfile.is_zipfile(path) or head[:1] == pickle.PROTO:
        return None, ()
    if head[257:262] == b"ustar" or head.startswith((GZIP, BZIP2, XZ)):
        return extract_release(path, Path(temporary)), ()
    raise InputError(
        f"{path}: neither an archive with an MXNet network, nor its parameters, nor a PyTorch file"
    )


def find_name(spec):
    """The registered name of a spec: of the same layers, else of as many units at other places.

    BatchNorm's eps and momentum may differ. Raises InputError where no name fits.
    """
    like = {name: get_spec(name) for name in list_models()}
    for alike in (_layers, _outline):
        wanted = alike(spec)
        for name, other in like.items():
            if alike(other) == wanted:
                return name
    raise InputError(
        "no registered network is like the one in the file "
        f"({sum(s.blocks for s in spec.stages)} units, extra units {spec.placement}): name it"
    )


def _check_name(name, spec, path):
    """`name`; raises InputError where it is that of a registered network of other layers."""
    if name in list_models() and _outline(get_spec(name)) != _outline(spec):
        raise InputError(f"{path}: another network than {name}, its extra units: {spec.placement}")
    return name


def _layers(spec):
    """All that a spec's layers are, but for BatchNorm's eps and momentum: to be compared."""
    spec = dataclasses.replace(spec, eps=0.0, momentum=0.0)
    layers = (*spec.plan(), *spec.head_plan())
    return spec.in_channels, spec.stem.norm_input, spec.stem_conv, spec.stem_pool, layers


def _outline(spec):
    """The layers without the extra units, and how many of those a stage has."""
    extras = sorted((extra.kind, extra.stage) for extra in spec.extras)
    return _layers(dataclasses.replace(spec, extras=())), extras


def _named(found, name):
    """The spec under its name; with the registered one's input size where the file has none."""
    spec = dataclasses.replace(found.spec, name=name)
    if name not in list_models():
        return spec
    in_file = spec.input_size != NetSpec.input_size
    return spec if in_file else dataclasses.replace(spec, input_size=get_spec(name).input_size)


def _compare(spec, arrays, release):
    """Run the released symbol and ours on one picture; returns what to write on the card."""
    from .run_network import as_function

    x = golden_input(spec)[:1]
    actual = as_function(Filling(spec, spec.classes, arrays, source=release[1]))(x)
    expected = released_logits(*release, x)
    difference = compare_logits(actual, expected, release[0])
    return (
        f"logits of one input differ by {difference:.1e} of their deviation from those of the "
        "released symbol on MXNet's plain operators"
    )
