"""The names of a network's parameters, however a file spells them.

`by_name` is the one reader of names. It knows:

    conv1__conv_weight          a parameter's own name, as in `save_weights`' and the released files
    arg:conv1__conv_weight      the same in `net.export`'s and Module's, statistics `aux:...`
    features.0.weight           its place in the blocks: Gluon's `save_parameters`
    mine0_conv1__conv_weight    either of them behind what all names of the file begin with: a
    net.features.0.weight       network in a block of the user's
    dense0_weight, fc.weight    a classifier that the user put in
"""

import itertools
import os
from dataclasses import replace

from ..networks.classifier import make_classifier
from ..networks.network import Network
from ..utils.errors import InputError

# The constants of pixels in an export that takes pictures; its manifest says them, too.
PIXELS = ("preprocess_mean", "preprocess_scale")
_OUTPUT = {"output.weight", "output.bias"}


def plain_names(arrays):
    """`arrays` by full name, without `arg:` and `aux:`, statistics spelled as Gluon does.

    Raises InputError where two then have one name.
    """
    plain = {}
    for name, array in arrays.items():
        spelled = without_kind(name).replace("_moving_", "_running_")
        if spelled in plain:
            raise InputError(f"two arrays are called {spelled}, one of them is spelled {name}")
        plain[spelled] = array
    return plain


def without_kinds(arrays):
    """`arrays` without the `arg:` and `aux:` that `with_kinds` puts before their names."""
    return {without_kind(name): array for name, array in arrays.items()}


def without_kind(name):
    """A name without the `arg:` or `aux:` before it."""
    return name[4:] if name.startswith(("arg:", "aux:")) else name


def by_name(arrays, block):
    """`arrays` by the full names of a block's parameters, see above; other names stay as they are.

    Places in the blocks are those of the network that the file is of: of the block, or where it is
    a `Network`, of that without its extra units or head, or of the 2-D one. The names of the whole
    file tell which. Nothing is left out but `PIXELS`, so that who fills the block sees what did not
    fit. Raises
    InputError where two arrays have one name.
    """
    arrays = plain_names(arrays)
    if isinstance(block, Network):
        arrays = {name: array for name, array in arrays.items() if name not in PIXELS}
    own = list(block.collect_params())
    behind = block.prefix if all(name.startswith(block.prefix) for name in own) else ""
    own = {name[len(behind) :] for name in own}
    before = _shared_prefix(arrays, own)
    full = {name[len(before) :]: array for name, array in arrays.items()}
    if own.isdisjoint(full):
        by_place = all("." in name for name in arrays)
        full = _from_places(arrays, block, behind) if by_place else None
    if full is None:
        return arrays
    full = _with_own_classifier(full, own, block)
    return {f"{behind}{name}" if name in own else name: array for name, array in full.items()}


def _shared_prefix(names, known):
    """What all names begin with that are `known` without it; of several the one most are known by.

    A prefix ends as Gluon's do, in "_" of a block's name or "." of its place.
    """
    shared = os.path.commonprefix(list(names)) if len(names) > 1 else ""
    ends = [0, *(i for i, letter in enumerate(shared, start=1) if letter in "_.")]
    best = max(ends, key=lambda end: sum(name[end:] in known for name in names))
    return shared[:best]


def _from_places(arrays, block, behind):
    """`arrays`, named by places, by full name without `behind`; None where no network has them."""
    for network in _like(block):
        places = {
            place: param.name[len(behind) :] if network is block else param.name
            for place, param in network._collect_params_with_prefix().items()
        }
        before = _shared_prefix(arrays, places)
        found = {name[len(before) :]: array for name, array in arrays.items()}
        missing = places.keys() - found.keys()
        if missing <= _OUTPUT and len(found) == len(places):  # what is left over, may replace it
            return {places.get(place, place): array for place, array in found.items()}
    return None


def _like(block):
    """The block, and other networks that a file which fills it may be of."""
    yield block
    if not isinstance(block, Network):
        return
    seen = [block.spec] if block.output is not None else []
    for flat, plain, headless in itertools.product((False, True), repeat=3):
        spec = block.spec
        if headless:
            spec = replace(spec, head=None)
        if plain:
            spec = replace(spec, extras=(), head=spec.head and replace(spec.head, units=0))
        if flat and spec.ndim == 3:
            spec = spec.flattened()
        if spec not in seen:
            seen.append(spec)
            yield Network(spec)


def _with_own_classifier(arrays, own, block):
    """`arrays` with the parameters of a classifier of the user's under the network's names.

    It is one where the network's classifier is missing, and of all names the network lacks only
    those of one layer, which takes the features that the classifier takes.
    """
    if not isinstance(block, Network):
        return arrays
    classifier = block.spec.names[-1]
    renamed = {f"{classifier}_{leaf}" for leaf in ("weight", "bias")}
    foreign = sorted(name for name in arrays if name not in own)  # bias before weight
    if not renamed.isdisjoint(arrays) or len(foreign) != 2:
        return arrays
    bias, weight = foreign
    layer = weight[: -len("weight")]
    output = block.output or make_classifier(block.spec, 1)
    fits = (
        weight.endswith(("_weight", ".weight"))
        and bias == f"{layer}bias"
        and arrays[weight].shape[1:] == output.weight.shape[1:]
        and arrays[bias].shape == arrays[weight].shape[:1]
    )
    if not fits:
        return arrays
    return {
        f"{classifier}_{name[len(layer) :]}" if name in foreign else name: array
        for name, array in arrays.items()
    }
