"""Weights to start from, for every task: found, laid onto the network, and told what is new.

What may be new, and keeps its random values: extra units, the heads and the auxiliary head of a
network that labels pixels, and the classifier where `model.new_classifier` asks for it, or where
the weights' own tells other things apart (pictures, not pixels). All else must be in the weights.
"""

import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Tuple

import numpy as np

from gluon_glore.data.image import Preprocess
from gluon_glore.model_zoo.cache import Found, installed
from gluon_glore.model_zoo.find_weights import find_weights
from gluon_glore.model_zoo.network_weights import CLASSIFIER, found_spec
from gluon_glore.model_zoo.transfer import fill
from gluon_glore.networks.paper import list_models
from gluon_glore.plan.extra_units import EXTRA_UNITS
from gluon_glore.plan.unit_names import HEADS
from gluon_glore.utils.errors import InputError, listed
from gluon_glore.weights import load_arrays
from gluon_glore.weights.manifest import MANIFEST, params_of, spec_of
from gluon_glore.weights.network_file import OF_PYTORCH
from gluon_glore.weights.run_folder import checkpoints, newest_checkpoint

from ..config.network import add_units, model_spec

_LOOKED_UP = re.compile(r"\w+://|[0-9a-f]{8,64}$")  # an address, the digits of a sha256
_UNIT = re.compile(r"(.+?_extra\d*)_")  # what begins the names of an extra unit's parameters


@dataclass(frozen=True)
class Start:
    """What a network started from: the names of its `new` parameters, and `notes` for the user."""

    new: Tuple[str, ...] = ()
    notes: Tuple[str, ...] = ()


def find_pretrained(model) -> Found:
    """The file of weights that `pretrained` of a section `model` names, and its manifest.

    A run (its newest checkpoint), a checkpoint, a zoo entry, an export with the network's own
    parameters, a parameter file, a network's name, "zoo", or what else `get_model` takes. One
    process of each host downloads them. Raises InputError where there are none, they are damaged,
    or of a graph for inference.
    """
    source = model.pretrained
    if source == "zoo":
        return find_weights(model.name)
    path = Path(source).expanduser()
    if checkpoints(path) and not (path / MANIFEST).is_file():
        folder, manifest = newest_checkpoint(path, lambda text: print(text, file=sys.stderr))
        return Found(params_of(folder, manifest), manifest)
    is_name = source == path.name and not path.exists()
    if is_name and (source in list_models() or installed(source)):
        return find_weights(source)
    if not path.exists() and not _LOOKED_UP.match(source):
        raise InputError(
            f"{source}: no such parameter file, run or folder, and no network with weights is "
            "called so"
        )
    try:
        return find_weights(model.name, source)
    except InputError as error:
        ours = path.suffix in (".params", *OF_PYTORCH) and model.name in list_models()
        if ours or path.is_dir() or not path.exists():
            raise
        raise InputError(
            f"{error}; weights of others are imported first (python -m gluon_glore import FILE "
            "--out ENTRY), then model.pretrained=ENTRY"
        ) from None


def starting_spec(model, spec=None):
    """The network to train: that of a section `model`, or `spec`, as its weights make it.

    BatchNorm's eps is that of the weights; of weights of a network so called also its momentum, and
    unless `model.units` says others its units. Raises InputError as `find_pretrained` does, and
    where there is no such network.
    """
    if not model.pretrained:
        return spec or model_spec(model)
    found = find_pretrained(model)
    theirs = found.manifest and spec_of(found.manifest)
    if not theirs:
        return spec or model_spec(model)
    if found.manifest.model != model.name:
        return replace(spec or model_spec(model), eps=theirs.eps)
    theirs = found_spec(model.name, found)
    auxiliary = spec.head.auxiliary if spec and spec.head else 0
    if theirs.head:
        theirs = replace(theirs, head=replace(theirs.head, auxiliary=auxiliary))
    if not model.units:
        return theirs
    if model.name not in list_models():
        return add_units(theirs, model.units)
    return replace(spec or model_spec(model), eps=theirs.eps, momentum=theirs.momentum)


def load_pretrained(net, model, preprocess: Preprocess) -> Start:
    """Fill an initialised network with the weights of a section `model`, all of it or nothing.

    2-D weights are inflated into a 3-D network. `preprocess` is how the run prepares pixels: where
    the weights say another way, a note does. Raises InputError as `find_pretrained` does, and where
    the weights lack what may not be new, have units that the network lacks, or do not fit.
    """
    found = find_pretrained(model)
    title = str(found.params)
    if found.manifest:
        title += f" ({found.manifest.model})"
    arrays = load_arrays(found.params, net)
    own_classifier = {param.name for param in net.output.collect_params().values()}
    owners = {name: _owner(name, net.spec, own_classifier) for name in net.collect_params()}
    left_out = [name for name in arrays if name not in owners and name.startswith(tuple(HEADS))]
    if _is_classifier_new(net, model, arrays, title):
        left_out += [name for name in arrays if name in CLASSIFIER]
    arrays = {name: array for name, array in arrays.items() if name not in left_out}
    _refuse_missing(net, owners, arrays, title)
    _refuse_units(net, arrays, title)
    inflated = net.spec.ndim == 3 and all(array.ndim < 5 for array in arrays.values())
    new = fill(net, title, "the file", arrays, allow_missing=True, skip_classifier=False)
    notes = [_told(title, [owners[name] for name in new], left_out, inflated)]
    if found.manifest and not alike(found.manifest.preprocess, preprocess):
        notes.append(
            f"{title}: its weights saw {found.manifest.preprocess.formula}, this run shows "
            f"{preprocess.formula}: data.mean and data.scale can say the same"
        )
    return Start(tuple(new), tuple(notes))


def _owner(name, spec, classifier):
    """What may be new that a parameter belongs to, in words; None for the backbone's own."""
    units = (unit for unit in (*spec.plan(), *spec.head_plan()) if unit.kind in EXTRA_UNITS)
    for unit in units:
        if name.startswith(f"{unit.name}_"):
            return f"{unit.name} ({unit.kind})"
    if name in classifier:
        return "classifier"
    return next((head for head in HEADS if name.startswith(head)), None)


def _is_classifier_new(net, model, arrays, title):
    """Whether the network keeps its own classifier.

    Raises InputError where it is to have that of the weights, which has other classes.
    """
    if model.new_classifier:
        return True
    weights = (a for name, a in arrays.items() if name in CLASSIFIER and name.endswith("_weight"))
    weight = next(weights, None)
    if weight is None and not net.spec.head:
        raise InputError(
            f"{title}: no classifier in it; model.new_classifier=true begins with a new one"
        )
    if weight is None:
        return True
    if weight.ndim != len(net.output.weight.shape):  # the one of pictures, the other of pixels
        return True
    if weight.shape[0] != net.classes:
        raise InputError(
            f"{title}: weights of another network, 2 parameters differ: its classifier has "
            f"{weight.shape[0]} classes, the network {net.classes}; model.new_classifier=true "
            "begins with a new one"
        )
    return False


def _refuse_missing(net, owners, arrays, title):
    """Raise InputError where the weights lack a part of what may not be new, or of a unit."""
    begun = {owner for name, owner in owners.items() if name in arrays}
    missing = [
        name
        for name, owner in owners.items()
        if name not in arrays and (owner is None or owner in begun)
    ]
    if missing:
        raise InputError(
            f"{title}: no backbone of {net.spec.name} in it, it lacks {missing[0]} and "
            f"{len(missing) - 1} more"
        )


def _refuse_units(net, arrays, title):
    """Raise InputError, naming them, where the weights have extra units that the network lacks."""
    known = net.collect_params()
    matches = (_UNIT.match(name) for name in arrays if name not in known)
    units = list(dict.fromkeys(match[1] for match in matches if match))
    if units:
        raise InputError(
            f"{title}: it has units that {net.spec.name} has not: {listed(units)}; take a "
            "model.name that has them, or model.units"
        )


def _told(title, new, left_out, inflated):
    """The line that says what a run starts from."""
    told = f"starts from {title}{', inflated in time' if inflated else ''}"
    if new:
        told += f"; new: {', '.join(dict.fromkeys(new))}"
    parts = {
        "classifier" if name in CLASSIFIER else next(h for h in HEADS if name.startswith(h))
        for name in left_out
    }
    return told + (f"; left out: {', '.join(sorted(parts))}" if parts else "")


def alike(theirs, ours):
    """Whether two `Preprocess` make the same of a pixel."""
    return np.allclose(theirs.mean, ours.mean) and np.allclose(theirs.scales, ours.scales)
