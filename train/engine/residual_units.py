"""What training alone does to residual units: stochastic depth, and a start as the identity.

Neither is of the network: spec, manifest, symbols and exports do not know of them.
"""

import contextlib

from mxnet.gluon import HybridBlock

from gluon_glore.layers.basic import OnClips
from gluon_glore.layers.drop_path import DropPath
from gluon_glore.layers.glore import GloRe
from gluon_glore.layers.non_local import NonLocal
from gluon_glore.layers.residual import Residual
from gluon_glore.utils.errors import InputError

KEYS = ("drop_path", "zero_init_residual")


def check_units(net, model):
    """Raise InputError where a `model` section has a key of residual units, and `net` has none."""
    for key in KEYS:
        if getattr(model, key, False) and not residual_units(net):
            raise InputError(
                f"config key model.{key} is for networks of residual units, given {model.name}"
            )


def residual_units(net):
    """The blocks of a network's residual units, from the first to the last."""
    found = []
    net.apply(lambda block: found.append(block) if isinstance(block, Residual) else None)
    return found


def set_drop_path(net, rate):
    """Let every residual unit of a network drop its branch for some samples in training.

    The probability rises linearly, from 0 at the first unit to `rate` at the last, as in timm. A
    GloRe or non-local unit is a branch too: it has that of the residual unit before it, so that a
    network's own units have the same with and without such units. Those of heads, and of kinds that
    this project does not have, are never dropped. Call it before the first forward.
    """
    units = residual_units(net)
    step = rate / max(1, len(units) - 1)
    rates = iter([i * step for i in range(len(units))] if len(units) > 1 else [rate])
    own = 0.0
    for block in net.features[net.first_unit :][: len(list(net.spec.plan()))]:
        block = block.unit if isinstance(block, OnClips) else block
        if isinstance(block, Residual):
            own, block = next(rates), block.body[-1]
        elif not isinstance(block, (GloRe, NonLocal)):
            continue
        if own:
            with block.name_scope():
                block.drop_path = DropPath(own, *block.branch)


def _drop_paths(net):
    """Every `DropPath` of a network."""
    found = []
    net.apply(lambda block: found.append(block) if isinstance(block, DropPath) else None)
    return found


def drops_paths(net):
    """Whether `set_drop_path` has given a network's units a probability."""
    return bool(_drop_paths(net))


@contextlib.contextmanager
def whole(net, *graphs):
    """A context in which no branch is dropped, of a network and other blocks made of its layers."""
    paths = _drop_paths(net)
    rates = [path._rate for path in paths]

    def set_rates(values):
        for path, value in zip(paths, values):
            path._rate = value
        for graph in (net, *graphs) if paths else ():  # they were drawn with the rates before
            graph.apply(lambda block: isinstance(block, HybridBlock) and block._clear_cached_op())

    set_rates([0.0] * len(paths))
    try:
        yield
    finally:
        set_rates(rates)


def start_as_identity(net):
    """Set the weights of each residual unit's last convolution to zero, in an initialised network.

    The unit then is its shortcut (Goyal et al. 2017, section 5.1, https://arxiv.org/abs/1706.02677,
    who set the gamma of the BatchNorm behind that convolution). In pre-activation units BatchNorm
    and ReLU stand before it: with a gamma and beta of zero there, ReLU would give 0 and pass no
    gradient, and such a unit would never learn.
    """
    for unit in residual_units(net):
        weight = unit.last_convolution.conv.weight
        weight.set_data(weight.data(weight.list_ctx()[0]).zeros_like())
