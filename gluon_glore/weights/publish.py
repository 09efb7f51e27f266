"""From a trained run to an entry of a zoo: a folder that any web server makes a mirror."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from ..classify import load_network
from ..errors import InputError
from ..manifest import Manifest, read_manifest
from .card import Card
from .catalogue import add_to_catalogue
from .entry import add_measurement, write_entry
from .measure import measure

SOURCE = "a training run, see config.yaml and metrics.jsonl"
KEPT = ("config.yaml", "metrics.jsonl")  # of a run


def publish(checkpoint, zoo, name=None, data=None, card=None, half=False):
    """Publish a run's newest checkpoint, or a checkpoint, in the folder `zoo`; returns the entry.

    The entry `NAME-<first 8 of the parameters' sha256>` has parameters (float16 with `half`: their
    accuracy is what is measured), model card, golden numbers, and the run's configuration and log;
    `zoo/catalogue.yaml` lists it. `name` defaults to the network's, `card` says whose it is and
    under what licence. It is evaluated on `data`, indexed RecordIO, by default the run's own
    validation set. Raises InputError where anything is missing, damaged or can't be written; the
    zoo is then as it was.
    """
    zoo, run = Path(zoo), _run_of(Path(checkpoint))
    net, manifest = load_network(checkpoint)
    name = name or manifest.model
    card = card or Card(SOURCE)
    entry = Manifest(name, manifest.class_names, manifest.preprocess, spec=net.spec, card=card)
    arrays = {key: param.data().asnumpy() for key, param in net.collect_params().items()}
    if data is None:
        data = _validation_set(run)
    zoo.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=zoo, prefix=".publish.") as temporary:
        folder = write_entry(
            Path(temporary) / "entry",
            entry,
            arrays,
            [run / file for file in KEPT if (run / file).is_file()],
            "float16" if half else "float32",
        )
        add_measurement(folder, measure(folder, data))
        whole = read_manifest(folder)
        digest = whole.sha256[f"{name}-0000.params"]
        place = zoo / f"{name}-{digest[:8]}"
        if place.exists():
            raise InputError(f"{place}: published already")
        os.replace(folder, place)
    try:
        add_to_catalogue(zoo, name, place.name, whole, digest)
    except BaseException:
        shutil.rmtree(place)
        raise
    return place


def _run_of(folder):
    """The directory of a checkpoint's run, or of a run."""
    with contextlib.suppress(IndexError):
        if folder.parent.name == "checkpoints":
            return folder.resolve().parents[1]
    return folder


def _validation_set(run):
    from train.evaluate import validation_set

    return validation_set(run)
