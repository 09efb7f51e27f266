"""The GloRe unit in `mx.sym` (Chen et al., CVPR 2019, section 3; https://arxiv.org/abs/1811.12814)."""

import mxnet as mx

from gluon_glore.functional import (
    broadcast_back,
    flatten_locations,
    pool_locations,
    pool_to_nodes,
    restore_locations,
    swap_nodes_and_states,
)

from .layers import convolution, norm, preact_convolution


def glore(x, unit):
    """out = x + extension(Y), `(B, C, *space)` in and out; `unit` is a `GloReUnit` of the plan."""
    post = unit.arrangement == "post"

    def conv(x, row):
        spell = convolution if post else preact_convolution
        return spell(x, row, f"{unit.name}_{row.name}")

    flat = x if unit.ndim == 2 else flatten_locations(mx.sym, x)
    mask = conv(flat, unit.projection)
    way_in, pooled_mask = flat, mask
    if unit.pool_stride > 1:
        stride = (unit.pool_stride,) * unit.ndim
        way_in = pool_locations(mx.sym, flat, x, stride)
        pooled_mask = pool_locations(mx.sym, mask, x, stride)

    v = pool_to_nodes(mx.sym, conv(way_in, unit.state), pooled_mask, unit.normalize)
    for adjacency, update in unit.graph:
        related = conv(swap_nodes_and_states(mx.sym, v), adjacency)
        v = v + swap_nodes_and_states(mx.sym, related)
        v = conv(mx.sym.relu(v) if post else v, update)

    y = broadcast_back(mx.sym, v, conv(flat, unit.reverse) if unit.reverse else mask)
    y = conv(y, unit.extension)
    if post:
        y = norm(y, f"{unit.name}_{unit.extension.name}", unit.in_channels, relu=False)
    y = flat + y
    return y if unit.ndim == 2 else restore_locations(mx.sym, y, x)
