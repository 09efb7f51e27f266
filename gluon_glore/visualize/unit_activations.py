"""A network's GloRe units at work: what they computed in a forward, taken as they computed it."""

import contextlib

import mxnet as mx
import numpy as np

from ..layers.glore import GloRe
from ..utils.errors import InputError
from .unit_view import UnitView


def glore_units(net):
    """The GloRe units of a network, `{name: block}` in its order.

    Raises InputError where it has none.
    """
    blocks = []
    net.apply(lambda block: blocks.append(block) if isinstance(block, GloRe) else None)
    if not blocks:
        raise InputError("the network has no GloRe units")
    return {block.prefix.rstrip("_"): block for block in blocks}


def look(net, x, units):
    """Outputs of a network of two dimensions for one picture, and what its `units` made of it.

    `x` is the prepared picture, float32 `(C, H, W)`, `units` some of `glore_units`. Returns the
    output as numpy `(classes, ...)` and a list of `UnitView`s. The network no longer is hybridised
    after that, so that its parts can be watched. Raises InputError where numbers of a unit or the
    output are not finite.
    """
    net.hybridize(False)
    with contextlib.ExitStack() as stack:
        seen = {name: stack.enter_context(_watched(unit)) for name, unit in units.items()}
        device = next(iter(net.collect_params().values())).list_ctx()[0]
        output = net(mx.nd.array(x[None], ctx=device))[0].asnumpy()
    views = [_view(name, unit, seen[name]) for name, unit in units.items()]
    if not np.isfinite(output).all():
        raise InputError("the network's outputs are not finite: its weights are no good")
    return output, views


@contextlib.contextmanager
def _watched(unit):
    """Yield a dictionary that takes what the unit's blocks are given and give in a forward."""
    seen = {}

    def keep(part):
        def hook(_, given, result):
            seen[part] = given[0], result

        return hook

    parts = {part: getattr(unit, part) for part in ("projection", "reverse", "graph")}
    hooks = [
        block.register_forward_hook(keep(part))
        for part, block in parts.items()
        if block is not None
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.detach()


def _view(name, unit, seen):
    features, states = (array[0, :, :, 0].asnumpy().T for array in seen["graph"])
    maps = {part: seen[part][1][0].asnumpy() for part in ("projection", "reverse") if part in seen}
    for array in (features, states, *maps.values()):
        if not np.isfinite(array).all():
            raise InputError(f"{name}: its numbers are not finite: the weights are no good")
    graph = tuple(_adjacency(layer) for layer in unit.graph)
    return UnitView(name, maps["projection"], maps.get("reverse"), features, states, graph)


def _adjacency(layer):
    """A of a graph convolution, (N, N): the weight of its convolution over the nodes."""
    weights = [
        p for name, p in layer.adjacency.collect_params().items() if name.endswith("_conv_weight")
    ]
    return weights[0].data().asnumpy()[:, :, 0, 0]
