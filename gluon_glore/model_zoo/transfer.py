"""Transfer: one network starts from the weights of another.

A backbone is taken over under a new head; a 2-D network's kernels are inflated into a 3-D one's.
"""

from pathlib import Path

from mxnet.gluon import Block

from ..networks.network import Network
from ..networks.paper import list_models
from ..utils.errors import InputError
from ..weights import (
    by_name,
    is_initialized,
    load_arrays,
    named_arrays,
    placed_arrays,
    refuse_unknown,
    set_weights,
)
from .find_weights import find_weights
from .network_weights import CLASSIFIER, inflate


def transfer_weights(block, source, *, allow_missing=False, skip_classifier=False, fresh=()):
    """Fill a block with the weights of another network by their names, all of it or nothing.

    Kernels `(O, I, H, W)` become `(O, I, T, H, W)` where the block has those: repeated T times and
    divided by T (see `inflate_weights`). All others are copied. Shapes that wait for an input are
    those of the source.

    Parameters
    ----------
    block : a `Network`, a part of one, or any other Block; initialised where the options let
        parameters keep their values.
    source : a network's name (its weights in the model zoo), a parameter file however it spells its
        names (`weights.names`), or a Block whose parameters have the names, or the places, of the
        block's own: another instance of it, or the one without units.
    allow_missing : parameters that the source lacks, as those of extra units, keep their values.
    skip_classifier : the source's classifier is left out, and the block's own keeps its values. It
        is known by the names that the networks here give it.
    fresh : names of the block's parameters that keep their values, whether or not the source has
        them: the classifier of any other network, as `net.fc.collect_params()`.

    Returns the names of the parameters that kept their values, in the block's order. Raises
    InputError naming the parameters that differ, one that is to keep its values and has none, or is
    not there; and where `skip_classifier` knows no classifier.
    """
    return fill(block, *_read_source(source, block), allow_missing, skip_classifier, fresh)


def inflate_weights(net, source, *, allow_missing=False, skip_classifier=False):
    """Fill a 3-D `Network` with the weights of a 2-D one, all of it or nothing.

    Convolution weights `(O, I, H, W)` become `(O, I, T, H, W)`: repeated T times and divided by T.
    All others are copied. The 2-D network that fits is `Network(net.spec.flattened())`.

    A clip of one frame repeated then gives the values of the frame. Exceptions are the ends of the
    clip, where kernels see padding, and what is behind GloRe units without `normalize`, which sum
    over more locations.

    Parameters and result are those of `transfer_weights`. Raises InputError as that does, and where
    the network is not 3-D or the source not 2-D.
    """
    if not isinstance(net, Network) or net.spec.ndim != 3:
        raise InputError(f"inflate_weights fills a Network of 3 dimensions, given {_title(net)}")
    title, place, arrays = _read_source(source, net)
    for name, array in arrays.items():
        if array.ndim == 5:
            raise InputError(f"{title}: not a 2-D network's weights, {name} is {array.shape}")
    return fill(net, title, place, arrays, allow_missing, skip_classifier)


def fill(block, title, place, arrays, allow_missing, skip_classifier, fresh=()):
    """`transfer_weights` of `arrays`, whose origin messages call `title` and `place`.

    Raises InputError as that does.
    """
    params = block.collect_params()
    refuse_unknown(fresh, block)
    own = set(fresh)
    if skip_classifier:
        if CLASSIFIER.isdisjoint([*params, *arrays]):
            raise InputError(
                f"{title}: skip_classifier is of this package's networks, whose names are neither "
                "in it nor in the block: name what keeps its values, fresh=net.fc.collect_params()"
            )
        own.update(CLASSIFIER & set(params))
        arrays = {name: array for name, array in arrays.items() if name not in CLASSIFIER}
    arrays = {name: array for name, array in arrays.items() if name not in fresh}
    if allow_missing:
        own.update(name for name in params if name not in arrays)
    kept = [name for name in params if name in own]
    for name in kept:
        if not is_initialized(params[name]):
            raise InputError(f"{name} is to keep its values but has none: initialize the network")
    filled = {name: param for name, param in params.items() if name not in own}
    set_weights(filled, arrays, title, place, fit=inflate)
    return kept


def _read_source(source, block):
    """(title, place, arrays) of a source: its two names in messages, its arrays by `block`'s names.

    Raises InputError where a file can't be read or a Block's parameters have no values yet.
    """
    if not isinstance(source, Block):
        known = isinstance(source, str) and source in list_models()
        path = find_weights(source).params if known else Path(source)
        return path, "the file", load_arrays(path, block)
    for name, param in source.collect_params().items():
        if not is_initialized(param):
            raise InputError(f"{_title(source)}: {name} has no values to take over")
    known = set(block.collect_params())
    arrays = by_name(named_arrays(source), block)
    if not isinstance(source, Network) and not arrays.keys() <= known:
        placed = by_name(placed_arrays(source), block)
        arrays = max(arrays, placed, key=lambda found: len(found.keys() & known))
    return _title(source), "the source", arrays


def _title(block):
    """What a block is called in messages."""
    if not isinstance(block, Network):
        return f"a {type(block).__name__}"
    return f"{block.spec.name or 'a Network'} of {block.spec.ndim} dimensions"
