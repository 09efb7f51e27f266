"""GloRe units and non-local blocks put into any Gluon network."""

import math
from dataclasses import dataclass, field

from mxnet.gluon import HybridBlock, SymbolBlock

from ..layers.basic import FramesConv
from ..networks.network import Network, make_unit
from ..plan.checks import check_extra
from ..plan.extra_units import EXTRA_UNITS
from ..plan.spec import MID_DIVISOR
from ..utils.errors import InputError
from .follow import follow
from .places import find_places
from .trace import Trace


@dataclass(frozen=True)
class InsertedUnit:
    """A unit that `insert_units` placed.

    `name` is what its parameters and operators begin with, `path` its place in the network, as
    "layer3.0.glore". It reads `channels` over `ndim` spatial dimensions. `block` is the unit.
    """

    name: str
    path: str
    channels: int
    ndim: int
    block: HybridBlock = field(repr=False)


def insert_units(net, after, kind="glore", *, input_shape=None, **options):
    """Put units into a network, behind some of its blocks; returns an `InsertedUnit` for each.

    The network computes what it did, for units start as the identity, but those of arrangement
    "pre" or with `zero_gamma=False`. It stays hybridised if it is. Paths, indices and names of all
    that is there stay, too. A unit's parameters are named by its path, in the network's name scope,
    so that networks with the same units load each other's files; they have values where the network
    has, on its contexts and in its number type.

    A Trainer that was made before does not know them: make it afterwards. A hybridised network
    around this one must be hybridised again.

    Parameters
    ----------
    net : a HybridBlock that `hybridize` works for. It is changed in place.
    after : what the units follow. `{"layer3": (1, 3)}`: the first and the third block in
        `net.layer3`. `"layer3.0"`: a block by its path, or by the prefix of its parameters.
        `"res4"`: a stage of a network of GluonCV (`stages.py` has the families), alone or with
        numbers. A function of a block that says whether one follows. A list of these.
    kind : "glore" or "nonlocal".
    input_shape : `(B, C, *space)` of an input that the network takes, where it takes neither a
        picture of 224x224 pixels nor a clip of 128 of them.
    options : the unit's, as `NetSpec.with_units` takes them. `mid_channels` is a quarter of the
        channels for "glore", half for "nonlocal"; the arrangement is "post".

    Raises InputError, and leaves the network as it is, where a place, an option or the network
    does not allow it.
    """
    _check_network(net)
    check_extra(kind, options)
    traced = Trace(net, input_shape)
    _check_time(traced)
    places = find_places(after, traced)
    units = [_make(traced, path, kind, options) for path in places]
    for path, unit in zip(places, units):
        follow(traced.blocks[path], unit.block, kind)
    net.apply(lambda block: block._clear_cached_op())  # its graphs have no units
    return units


def _check_network(net):
    if isinstance(net, Network):
        raise InputError(
            f"{net.spec.name} is one of this package's networks: "
            f"get_spec({net.spec.name!r}).with_units(...) is the same with units"
        )
    if isinstance(net, SymbolBlock):
        raise InputError(
            f"{net.name} is a graph that has no blocks, as exported and quantised networks: put "
            "the units into the network that it was made of"
        )
    if not isinstance(net, HybridBlock):
        raise InputError(f"units go into a HybridBlock, given {type(net).__name__}")


def _check_time(traced):
    if any(isinstance(block, FramesConv) for block in traced.blocks.values()):
        raise InputError(
            f"{traced.name} has one of this package's 3-D networks in it, whose blocks have time "
            "in the batch axis: get_spec(...).with_units(...) is that network with units"
        )


def _make(traced, path, kind, options):
    """The unit to come behind a block, an `InsertedUnit`, with its values."""
    block = traced.blocks[path]
    _check_block(block, path)
    shape = _shape(traced, path)
    options = {"mid_channels": shape[1] // MID_DIVISOR[kind], **options}
    if kind == "glore":
        options.setdefault("arrangement", "post")
    name = f"{path.replace('.', '_')}_{kind}"
    row = EXTRA_UNITS[kind](name, shape[1], ndim=len(shape) - 2, **options)
    if kind == "glore" and "extend_first" not in options:
        row = row.ordered_for(math.prod(shape[2:]))
    with traced.net.name_scope():
        unit = make_unit(row)
    _give_values(unit, block, traced.net)
    return InsertedUnit(unit.name, f"{path}.{kind}", row.in_channels, row.ndim, unit)


def _check_block(block, path):
    if any(name in EXTRA_UNITS for name in block._children):
        raise InputError(f"{path} has a unit behind it already")
    if type(block).forward is not HybridBlock.forward:
        raise InputError(
            f"{path} is a {type(block).__name__}, which has a forward of its own: a unit can't "
            "follow it"
        )


def _shape(traced, path):
    """The shape that a block gives."""
    shapes = traced.shapes(path)
    if not shapes:
        raise InputError(f"{traced.name} does not run {path} itself: no unit can follow it")
    for arrays in shapes:
        if len(arrays) > 1:
            raise InputError(f"{path} gives {len(arrays)} arrays, a unit follows one")
        if len(arrays[0]) not in (3, 4, 5):
            raise InputError(
                f"{path} gives an array of shape {arrays[0]}, a unit follows (batch, channels, "
                "*space)"
            )
        if math.prod(arrays[0][2:]) == 1:
            raise InputError(
                f"{path} gives one location for an input of {traced.input_shape}, a unit relates "
                "several"
            )
    channels = sorted({arrays[0][1] for arrays in shapes})
    if len(channels) > 1:
        raise InputError(f"{path} runs several times and gives {channels} channels, a unit one")
    return shapes[0][0]


def _give_values(unit, block, net):
    """Initialise a unit where the block before it is, and cast it to the type of its weights.

    What a block without parameters, or without weights, does not say the network says.
    """
    own, others = (list(part.collect_params().values()) for part in (block, net))
    contexts = next(filter(None, map(_contexts, own or others)), None)
    if contexts:
        unit.initialize(ctx=contexts)
    weight = next((param for param in own + others if param.name.endswith("weight")), None)
    if weight is not None:
        unit.cast(weight.dtype)


def _contexts(param):
    """The contexts of a parameter that has values or waits for its shape, None of others."""
    try:
        return param.list_ctx()
    except RuntimeError:
        return None
