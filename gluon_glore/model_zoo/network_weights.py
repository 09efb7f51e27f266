"""What weights that were found are for a network: its spec, classes, pixels and arrays.

The rules of both spellings: their parameters have the same names and shapes, and the arrays here
are numpy's.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, FrozenSet, Optional

import numpy as np

from ..networks.paper import get_spec, list_models
from ..plan.parameters import parameter_shapes
from ..plan.spec import NAMES, NetSpec
from ..utils import kinds
from ..utils.errors import InputError
from ..weights.fit import fit_all, fit_as_is
from ..weights.names import by_name_of
from ..weights.network_file import read_arrays
from .input_channels import adapt_preprocess, adapt_stem

CLASSIFIER = {f"{names[-1]}_{leaf}" for names in NAMES.values() for leaf in ("weight", "bias")}
# What other classes make new: the auxiliary classifier has as many.
_BY_CLASSES = CLASSIFIER | {f"auxiliary_classifier_{leaf}" for leaf in ("weight", "bias")}
_CHANNELS = kinds.whole(1, 1024)  # as many means as a `Preprocess` has


@dataclass(frozen=True)
class Filling:
    """What fills the network of `spec` with `classes`: `arrays` by name, in its shapes.

    `fresh` names the parameters that keep the values they are initialised with. `inflated` says
    that the weights are a 2-D network's and `spec` is 3-D. `source` is the file, None where no
    weights are asked for.
    """

    spec: NetSpec
    classes: Optional[int]
    arrays: Dict[str, np.ndarray] = field(default_factory=dict)
    fresh: FrozenSet[str] = frozenset()
    inflated: bool = False
    source: Optional[Path] = None


def fill_network(spec, found, classes=None, in_channels=None) -> Filling:
    """What the weights found make of a spec's network, see `get_model`.

    Raises InputError where they are another network's.
    """
    spec = of_channels(spec, in_channels)
    arrays = by_name_of(read_arrays(found.params), spec, classes)
    if in_channels is not None:
        arrays = adapt_stem(arrays, spec, found.params)
    inflated = _are_flat(arrays, spec)
    classifier = arrays.get(f"{spec.names[-1]}_weight")
    theirs = spec.classes if classifier is None or inflated else classifier.shape[0]
    if classes is None:
        classes = theirs
    shapes = parameter_shapes(spec, classes)
    fresh = _BY_CLASSES & shapes.keys() if inflated or classes != theirs else set()
    if inflated:
        fresh |= shapes.keys() - arrays.keys()
    if inflated or classes != theirs:
        arrays = {name: array for name, array in arrays.items() if name not in _BY_CLASSES}
    filled = {name: shape for name, shape in shapes.items() if name not in fresh}
    fit = inflate if inflated else fit_as_is
    arrays = fit_all(filled, arrays, found.params, fit=fit)
    return Filling(spec, classes, arrays, frozenset(fresh), inflated, found.params)


def inflate(array, shape):
    """`array` as a parameter of `shape`, a 2-D kernel repeated in time; None where it can't be."""
    if shape is None or len(shape) != 5 or array.ndim == 5:
        return fit_as_is(array, shape)
    frame = fit_as_is(array, shape[:2] + shape[3:])
    if frame is None:
        return None
    frame = frame if isinstance(frame, np.ndarray) else frame.asnumpy()
    return np.repeat(frame[:, :, None], shape[2], axis=2) / frame.dtype.type(shape[2])


def _are_flat(arrays, spec):
    """Whether arrays are of a 2-D network and the spec of a 3-D one."""
    return spec.ndim == 3 and all(array.ndim < 5 for array in arrays.values())


def of_channels(spec, in_channels):
    """A spec that takes `in_channels`, None for its own. Raises InputError below 1."""
    if in_channels is None:
        return spec
    _CHANNELS.check(in_channels, "in_channels")
    return replace(spec, in_channels=int(in_channels))


def found_spec(name, found):
    """The spec of the network `name`, with the units, BatchNorm eps and momentum of its weights.

    Raises InputError where the weights are another network's, 2-D ones for a 3-D network excepted.
    """
    manifest = found.manifest
    if manifest is None:
        return get_spec(name)
    if manifest.model == name:
        spec = manifest.spec or get_spec(name)
        if name in list_models() and _body(spec) != _body(get_spec(name)):
            raise InputError(
                f"{found.params}: weights of another network that is called {name} too"
            )
        return spec
    spec = get_spec(name)
    if spec.ndim == 3 and (manifest.spec or get_spec(manifest.model)).ndim == 2:
        return spec
    raise InputError(f"{found.params}: weights of {manifest.model}, not of {name}")


def _body(spec):
    """The layers that weights called as a registered network must share with it.

    Extra units, auxiliary heads, BatchNorm's eps and momentum may differ.
    """
    head = spec.head and replace(spec.head, units=0, auxiliary=0)
    spec = replace(spec, extras=(), eps=0.0, momentum=0.0, head=head)
    return (*spec.plan(), *spec.head_plan())


def told_pixels(spec, found, given, channels=None):
    """How pictures become the input of the weights found: as they say, or as `given`, else None.

    `spec` is that of the weights. Where the network takes other `channels`, it is adapted, or is
    given for these. Raises InputError where they say something else than what is given.
    """
    if channels not in (None, spec.in_channels):
        if given is not None and given.channels == channels:
            return given
        told = told_pixels(spec, found, given)
        return told and adapt_preprocess(told, channels)
    given = fitted_pixels(spec, given)
    if found.manifest is None:
        return given
    own = found.manifest.preprocess
    if given not in (None, own):
        raise InputError(
            f"{found.params}: its manifest says how pixels are prepared, {own.formula}, short side "
            f"{own.resize}: give no others"
        )
    return own


def fitted_pixels(spec, given):
    """A `Preprocess` or `Pixels` as the `Preprocess` of a spec's network, None as it is.

    Raises InputError where it is of another input.
    """
    if given is None:
        return None
    return given.fitted(spec.in_channels, spec.input_size[-2:], spec.head is not None)
