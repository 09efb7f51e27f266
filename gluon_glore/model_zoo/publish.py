"""From a trained run to an entry of a zoo: a folder that any web server makes a mirror."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from ..networks.paper import list_models
from ..networks.registry import check_name
from ..utils.errors import InputError, naming
from ..utils.files import made
from ..weights.card import Card
from ..weights.manifest import MANIFEST, Manifest, parse_manifest
from ..weights.run_folder import validation_source
from .catalogue import FILE, NAME, add_to_catalogue, read_catalogue
from .entry import add_measurement, measure, write_entry
from .open_network import open_own

SOURCE = "a training run, see config.yaml and metrics.jsonl"
KEPT = ("config.yaml", "metrics.jsonl")  # of a run


def publish(checkpoint, zoo, name=None, data=None, card=None, half=False):
    """Publish a run's newest checkpoint, or a checkpoint, in the folder `zoo`; returns the entry.

    The entry `NAME-<first 8 of the parameters' sha256>` has parameters (float16 with `half`: their
    accuracy is what is measured), model card, golden numbers, and the run's configuration and log;
    `zoo/catalogue.yaml` lists it. `name` defaults to the network's, `card` says whose it is
    and under what licence. It is evaluated on labelled `data`, as `measure` takes it, by default
    the run's own validation set. Raises InputError where anything is missing, damaged or can't be
    written; the zoo is then as it was.
    """
    run = _run_of(Path(checkpoint))
    opened = open_own(checkpoint)
    spec, manifest = opened.filling.spec, opened.manifest
    name = check_entry_name(name or manifest.model, manifest.model)
    entry = Manifest(
        name,
        manifest.class_names,
        manifest.preprocess,
        spec=spec,
        card=card or Card(SOURCE),
        clip=manifest.clip,
    )
    data = data or validation_source(run, manifest)
    files = [run / file for file in KEPT if (run / file).is_file()]
    return add_entry(zoo, entry, opened.filling.arrays, data, files, half)


def add_entry(zoo, entry, arrays, data=None, files=(), half=False):
    """Put an entry of a `Manifest` and `arrays` into the folder `zoo`, measured on `data` if given.

    Returns its folder. Raises InputError where anything is missing, damaged or can't be written;
    the zoo is then as it was.
    """
    zoo, name = Path(zoo), entry.model
    if (zoo / FILE).is_file():
        read_catalogue(zoo / FILE)  # refuses a damaged one before the work is done
    with naming(zoo), made(zoo), tempfile.TemporaryDirectory(dir=zoo, prefix=".publish.") as hidden:
        dtype = "float16" if half else "float32"
        folder = write_entry(Path(hidden) / "entry", entry, arrays, files, dtype)
        digest = parse_manifest(folder / MANIFEST).sha256[f"{name}-0000.params"]
        place = zoo / f"{name}-{digest[:8]}"
        if place.exists():
            raise InputError(f"{place}: published already; delete it to publish it anew")
        if data is not None:
            add_measurement(folder, measure(folder, data))
        whole = parse_manifest(folder / MANIFEST)
        os.replace(folder, place)
        try:
            add_to_catalogue(zoo, name, place.name, whole, digest)
        except BaseException:
            shutil.rmtree(place)
            raise
    return place


def check_entry_name(name, model):
    """`name`; raises InputError where it can't be a folder's, or is that of another network."""
    check_name(name, NAME)
    if name != model and name in list_models():
        raise InputError(f"{name} is another network than {model}, give it a name of its own")
    return name


def _run_of(folder):
    """The directory of the run that a checkpoint is of; a run's own directory as it is."""
    with contextlib.suppress(IndexError):
        if folder.parent.name == "checkpoints":
            return folder.resolve().parents[1]
    return folder
