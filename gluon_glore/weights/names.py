"""The names of a network's parameters, however a file spells them.

`by_name` reads names for a block, `by_name_of` for a spec, without MXNet. They know:

    conv1__conv_weight          a parameter's own name, as in `save_weights`' and the released files
    arg:conv1__conv_weight      the same in `net.export`'s and Module's, statistics `aux:...`
    features.0.weight           its place in the blocks: Gluon's `save_parameters`, and
                                `save_weights` of blocks that are no `Network`
    mine0_conv1__conv_weight    either of them behind what all names of the file begin with: a
    net.features.0.weight       network in a block of the user's
    dense0_weight, fc.weight    a classifier that the user put in
"""

import itertools
import os
from dataclasses import replace

from ..plan.parameters import parameter_shapes, without_kind
from ..utils.errors import InputError
from ..utils.extras import require

# The constants of pixels in an export that takes pictures; its manifest says them, too.
PIXELS = ("preprocess_mean", "preprocess_scale")
_OUTPUT = {"output.weight", "output.bias"}
_STATISTICS = ("running_mean", "running_var")


def plain_names(arrays):
    """`arrays` by full name, without `arg:` and `aux:`, statistics spelled as Gluon does.

    Raises InputError where two then have one name.
    """
    return distinct((_spelled(without_kind(name)), array) for name, array in arrays.items())


def distinct(pairs):
    """`{name: array}` of pairs. Raises InputError where two have one name."""
    found = {}
    for name, array in pairs:
        if name in found:
            raise InputError(f"two arrays are called {name}, in one spelling or another")
        found[name] = array
    return found


def _spelled(name):
    """A name of BatchNorm's statistics as Gluon spells it, for `mx.sym` does otherwise."""
    return name.replace("_moving_", "_running_")


def with_kinds(arrays):
    """Arrays by full name as MXNet's files call them: `arg:name`, statistics `aux:name`."""
    return {
        f"{'aux' if name.endswith(_STATISTICS) else 'arg'}:{name}": array
        for name, array in arrays.items()
    }


def without_kinds(arrays):
    """`arrays` without the `arg:` and `aux:` that `with_kinds` puts before their names."""
    return {without_kind(name): array for name, array in arrays.items()}


def by_name(arrays, block):
    """`arrays` by the full names of a block's parameters, see above; other names stay as they are.

    Places in the blocks are those of the network that the file is of: of the block, or where it is
    a `Network`, of that without its extra units or head, or of the 2-D one. The names of the whole
    file tell which. In any other block they are its own: what was added to it has others. Nothing
    is left out but `PIXELS`, where the block has none, so that who fills it sees what did not fit.
    Raises InputError where two arrays have one name.
    """
    from ..networks.network import Network

    names = list(block.collect_params())
    arrays = plain_names(arrays)
    arrays = {k: array for k, array in arrays.items() if k not in PIXELS or k in names}
    behind = block.prefix if all(name.startswith(block.prefix) for name in names) else ""
    own = {_spelled(name[len(behind) :]): name[len(behind) :] for name in names}
    if isinstance(block, Network):
        full = _of_network(arrays, own, block.spec, lambda: _from_places(arrays, block, behind))
        if full is None:
            return arrays
    else:
        full = _renamed(arrays, own)
        placed = _renamed(arrays, _places(block, behind))
        full = max(full, placed, key=lambda found: len(found.keys() & own.values()))
    names = set(own.values())
    return distinct((f"{behind}{n}" if n in names else n, array) for n, array in full.items())


def by_name_of(arrays, spec, classes=None):
    """`arrays` as `by_name` gives them for the `Network` of a spec, without making it.

    Raises InputError where two arrays have one name, and where they are called by places in Gluon's
    blocks but MXNet is not installed.
    """

    def from_places():
        require("mxnet", "cpu", "a file of Gluon's save_parameters, which names places in blocks,")
        from ..networks.network import Network

        return _from_places(arrays, Network(spec, classes), "")

    arrays = {k: array for k, array in plain_names(arrays).items() if k not in PIXELS}
    own = {_spelled(name): name for name in parameter_shapes(spec, classes)}
    full = _of_network(arrays, own, spec, from_places)
    return arrays if full is None else full


def _of_network(arrays, own, spec, from_places):
    """`arrays` by the names `own` of a spec's network, `from_places()` where they are places.

    None where those are of no network.
    """
    full = _renamed(arrays, own)
    if own.keys().isdisjoint(full):
        full = from_places() if all("." in name for name in arrays) else None
    return None if full is None else _with_own_classifier(full, own, spec)


def _renamed(arrays, known):
    """`arrays` without what all their names begin with, the `known` ones by other names.

    A layer that stands twice in a network has two places, known by one name: the first is taken.
    """
    before = shared_prefix(arrays, known.__contains__)
    found, others = {}, []
    for name, array in arrays.items():
        name = name[len(before) :]
        if name in known:
            found.setdefault(known[name], array)
        else:
            others.append((name, array))
    return distinct([*found.items(), *others])


def shared_prefix(names, is_known):
    """What all names begin with that are known without it; of several the one most are known by.

    A prefix ends as Gluon's do, in "_" of a block's name or "." of its place.
    """
    shared = os.path.commonprefix(list(names)) if len(names) > 1 else ""
    ends = [0, *(i for i, letter in enumerate(shared, start=1) if letter in "_.")]
    best = max(ends, key=lambda end: sum(is_known(name[end:]) for name in names))
    return shared[:best]


def _places(block, behind):
    """The places of a block's parameters: `{place: full name without `behind`}`."""
    places = block._collect_params_with_prefix()
    return {_spelled(place): param.name[len(behind) :] for place, param in places.items()}


def _from_places(arrays, block, behind):
    """`arrays`, named by places, by full name without `behind`; None where no network has them."""
    for network in _like(block):
        places = _places(network, behind if network is block else "")
        before = shared_prefix(arrays, places.__contains__)
        found = {name[len(before) :]: array for name, array in arrays.items()}
        missing = places.keys() - found.keys()
        if missing <= _OUTPUT and len(found) == len(places):  # what is left over, may replace it
            return {places.get(place, place): array for place, array in found.items()}
    return None


def _like(block):
    """A `Network`, and others that a file which fills it may be of."""
    from ..networks.network import Network

    yield block
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


def _with_own_classifier(arrays, own, spec):
    """`arrays` with the parameters of a classifier of the user's under the network's names.

    It is one where the network's classifier is missing, and of all names the network lacks only
    those of one layer, which takes the features that the classifier takes.
    """
    classifier = spec.names[-1]
    renamed = {f"{classifier}_{leaf}" for leaf in ("weight", "bias")}
    foreign = sorted(name for name in arrays if name not in own)  # bias before weight
    if not renamed.isdisjoint(arrays) or len(foreign) != 2:
        return arrays
    bias, weight = foreign
    layer = weight[: -len("weight")]
    features = parameter_shapes(spec, 1)[f"{classifier}_weight"][1:]
    fits = (
        weight.endswith(("_weight", ".weight"))
        and bias == f"{layer}bias"
        and arrays[weight].shape[1:] == features
        and arrays[bias].shape == arrays[weight].shape[:1]
    )
    if not fits:
        return arrays
    return {
        f"{classifier}_{name[len(layer) :]}" if name in foreign else name: array
        for name, array in arrays.items()
    }
