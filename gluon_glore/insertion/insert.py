"""GloRe units and non-local blocks put into any Gluon network."""

import math
from dataclasses import dataclass

from mxnet.gluon import HybridBlock, SymbolBlock

from ..networks.network import Network, make_unit
from ..plan.spec import MID_DIVISOR, check_extra
from ..plan.units import EXTRA_UNITS
from ..utils.errors import InputError
from .follow import follow
from .places import find_places
from .trace import Trace


@dataclass(frozen=True)
class InsertedUnit:
    """A unit that `insert_units` placed.

    `name` is what its parameters and operators begin with, `path` where it is in the network, as
    "layer3.0.glore". It reads `channels` over `ndim` spatial dimensions. `block` is the unit.
    """

    name: str
    path: str
    channels: int
    ndim: int
    block: HybridBlock


def insert_units(net, after, kind="glore", *, input_shape=None, **options):
    """Put units into a network behind some of its blocks; returns a row for each, `InsertedUnit`.

    Parameters
    ----------
    net : any HybridBlock that `hybridize` works for; it is changed in place.
    after : the blocks that units follow. `{"layer3": (1, 3)}`: the first and third block in
        `net.layer3`. `"layer3.0"`: the block of this path. `"res4"`: the stage of GluonCV's
        networks, alone or with numbers (see `stages.py`). A prefix of parameters. A function that
        is true of the blocks meant. A list of such.
    kind : "glore" or "nonlocal".
    input_shape : an input `(B, C, *space)` that the network takes, where the default, a picture of
        224x224 pixels or a clip of 128 such frames, does not fit it.
    options : the unit's, as for `NetSpec.with_units`. `mid_channels` is by default a quarter of the
        channels for "glore", half for "nonlocal"; the arrangement is "post".

    The network computes what it did before: units start as the identity. Their parameters are
    named by the path, in the network's name scope, and stand in files beside those of the block;
    two networks with the same units load each other's. They are initialised where the network is,
    on its contexts and in its number type. A hybridised network stays so. Make a Trainer
    afterwards, one that is there does not know them; a hybridised network around this one must be
    hybridised again.

    Raises InputError, and changes nothing, where a place, an option or the network does not allow
    it.
    """
    _check_network(net)
    check_extra(kind, options)
    traced = Trace(net, input_shape)
    placed = [
        (path, _make(traced, path, kind, options)) for path in find_places(after, traced)
    ]
    for path, (_, unit) in placed:
        _match(unit, traced.blocks[path], net)
    for path, (_, unit) in placed:
        follow(traced.blocks[path], unit, kind)
    net.apply(lambda block: block._clear_cached_op())  # graphs without the units
    return [
        InsertedUnit(unit.name, f"{path}.{kind}", row.in_channels, row.ndim, unit)
        for path, (row, unit) in placed
    ]


def _check_network(net):
    if isinstance(net, Network):
        raise InputError(
            f"{net.spec.name} has units by its plan: make it of "
            f"get_spec({net.spec.name!r}).with_units(...)"
        )
    if isinstance(net, SymbolBlock):
        raise InputError(
            f"{net.name} is a graph without blocks, as exported and quantised networks are: insert "
            "units into the network that it is of"
        )
    if not isinstance(net, HybridBlock):
        raise InputError(f"units go into a HybridBlock, given a {type(net).__name__}")


def _make(traced, path, kind, options):
    """The row of the plan and the block of the unit behind a block."""
    block = traced.blocks[path]
    _check_block(block, path)
    shape = _shape(traced, path)
    channels, ndim = shape[1], len(shape) - 2
    options = {"mid_channels": channels // MID_DIVISOR[kind], **options}
    if kind == "glore":
        options.setdefault("arrangement", "post")
    name = f"{path.replace('.', '_')}_{kind}"
    row = EXTRA_UNITS[kind](name, channels, ndim=ndim, **options)
    if kind == "glore" and "extend_first" not in options:
        row = row.ordered_for(math.prod(shape[2:]))
    with traced.net.name_scope():
        return row, make_unit(row)


def _check_block(block, path):
    if any(name in EXTRA_UNITS for name in block._children):
        raise InputError(f"{path} has a unit behind it already")
    if type(block).forward is not HybridBlock.forward:
        raise InputError(
            f"{path} is a {type(block).__name__}, which has a forward of its own: a unit can follow "
            "a block in it or around it"
        )


def _shape(traced, path):
    """The shape that a block gives, of the last time that it runs."""
    shapes = traced.shapes(path)
    if not shapes:
        raise InputError(f"{traced.net.name} does not run {path} itself: no unit can follow it")
    for arrays in shapes:
        if len(arrays) > 1:
            raise InputError(f"{path} gives {len(arrays)} arrays, a unit follows one")
        if len(arrays[0]) not in (3, 4, 5):
            raise InputError(
                f"{path} gives an array of shape {arrays[0]}, a unit follows one of shape (batch, "
                "channels, *space)"
            )
    channels = sorted({arrays[0][1] for arrays in shapes})
    if len(channels) > 1:
        raise InputError(
            f"{path} runs {len(shapes)} times and gives {channels} channels, a unit has one number"
        )
    return shapes[-1][0]


def _match(unit, block, net):
    """Give a unit values where the block before it has them, and the number type of its weights.

    A block without parameters is as the network is.
    """
    params = list(block.collect_params().values()) or list(net.collect_params().values())
    contexts = next(filter(None, map(_contexts, params)), None)
    if contexts:
        unit.initialize(ctx=contexts)
    weights = [param for param in params if param.name.endswith("weight")]
    if weights:
        unit.cast(weights[0].dtype)


def _contexts(param):
    """The contexts of a parameter that has values or waits for its shape, None of others."""
    try:
        return param.list_ctx()
    except RuntimeError:
        return None
