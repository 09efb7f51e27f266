"""What a network's GloRe units compute in a forward pass, recorded by hooks on their layers."""

import contextlib

import mxnet as mx
import numpy as np

from ..layers.glore import GloRe
from ..utils.errors import InputError
from .unit_view import UnitView


def glore_units(net):
    """The GloRe units of a network, `{name: block}` in the network's order.

    Raises InputError where it has none.
    """
    blocks = []
    net.apply(lambda block: blocks.append(block) if isinstance(block, GloRe) else None)
    if not blocks:
        raise InputError("the network has no GloRe units")
    return {block.prefix.rstrip("_"): block for block in blocks}


def record_units(net, x, units):
    """Run a network of pictures on one picture and record what its `units` compute.

    `x` is the prepared picture, float32 `(C, H, W)`, `units` some of `glore_units`. Returns the
    output as numpy `(classes, ...)` and a `UnitView` for each unit. The network is not hybridized
    any more afterwards: hooks on its layers are called only so. Raises InputError where numbers of
    a unit or of the output are not finite.
    """
    net.hybridize(False)
    with contextlib.ExitStack() as stack:
        records = {name: stack.enter_context(_recording(unit)) for name, unit in units.items()}
        device = next(iter(net.collect_params().values())).list_ctx()[0]
        output = net(mx.nd.array(x[None], ctx=device))[0].asnumpy()
    views = [_view(name, unit, records[name]) for name, unit in units.items()]
    if not np.isfinite(output).all():
        raise InputError("the network's outputs are not finite: its weights are no good")
    return output, views


@contextlib.contextmanager
def _recording(unit):
    """Yield a dictionary that a forward pass fills: {part of the unit: (its input, its output)}."""
    record = {}

    def keep(part):
        def hook(_, inputs, output):
            record[part] = inputs[0], output

        return hook

    parts = {part: getattr(unit, part) for part in ("projection", "reverse", "graph")}
    hooks = [
        block.register_forward_hook(keep(part))
        for part, block in parts.items()
        if block is not None
    ]
    try:
        yield record
    finally:
        for hook in hooks:
            hook.detach()


def _view(name, unit, record):
    """The `UnitView` of what was recorded. Raises InputError where a number is not finite."""
    features, states = (array[0, :, :, 0].asnumpy().T for array in record["graph"])
    maps = {
        part: record[part][1][0].asnumpy() for part in ("projection", "reverse") if part in record
    }
    for array in (features, states, *maps.values()):
        if not np.isfinite(array).all():
            raise InputError(f"{name}: its numbers are not finite: the weights are no good")
    graph = tuple(_adjacency(layer) for layer in unit.graph)
    return UnitView(name, maps["projection"], maps.get("reverse"), features, states, graph)


def _adjacency(layer):
    """A of a graph convolution, `(N, N)`: the weight of its convolution over the nodes."""
    weights = [
        p for name, p in layer.adjacency.collect_params().items() if name.endswith("_conv_weight")
    ]
    return weights[0].data().asnumpy()[:, :, 0, 0]
