"""The units of the plan in `mx.sym`: each function takes a symbol and a unit's row."""

import mxnet as mx

from gluon_glore.layers.frames import batch_to_frames, frames_to_batch
from gluon_glore.layers.functional import (
    attend,
    broadcast_back,
    concat_channels,
    flatten_locations,
    join_paths,
    pool_locations,
    pool_to_nodes,
    rectify,
    restore_locations,
    scale_channels,
    split_channels,
    swap_nodes_and_states,
)
from gluon_glore.plan.extra_units import reads_clips
from gluon_glore.plan.units import norm_of

from .layers import convolution, global_average_pool, norm, preact_convolution


def preact_convolutions(x, convs, unit):
    """The convolutions `convs` of `unit`, one behind the other; x itself where there are none."""
    for conv in convs:
        x = preact_convolution(x, conv, f"{unit.name}_{conv.name}", **norm_of(unit))
    return x


def residual(x, unit):
    """Pre-activation residual unit (He et al. 2016): x + convs(x)."""
    first, *others = unit.convs
    norms = norm_of(unit)
    read = x
    if unit.shared_norm:
        read = norm(x, f"{unit.name}_{first.name}", first.in_channels, first.axes, **norms)

    def conv(row):
        name = f"{unit.name}_{row.name}"
        if unit.shared_norm:
            return convolution(read, row, name)
        return preact_convolution(read, row, name, **norms)

    shortcut = conv(unit.shortcut) if unit.shortcut else x
    x = preact_convolutions(conv(first), others, unit)
    if unit.squeeze_excite:
        x = channel_attention(x, unit.squeeze_excite, unit.name)
    return mx.sym.elemwise_add(x, shortcut, name=f"{unit.name}_sum")


def channel_attention(x, row, name):
    """Squeeze-and-excitation (Hu et al. 2018): x times one weight a channel."""
    weight = global_average_pool(x, f"{name}_se-pool", row.axes, row.frames)
    weight = mx.sym.FullyConnected(weight, num_hidden=row.hidden, name=f"{name}_se-fc1")
    weight = rectify(mx.sym, weight, name=f"{name}_se-ac")
    weight = mx.sym.FullyConnected(weight, num_hidden=row.channels, name=f"{name}_se-fc2")
    weight = mx.sym.sigmoid(weight, name=f"{name}_se-gate")
    return scale_channels(mx.sym, x, weight, row.axes, row.frames)


def dual_path(x, unit):
    """Dual-path unit (Chen et al. 2017); the first channels of x are the residual path."""
    paths = preact_convolutions(x, filter(None, [unit.projection]), unit)
    body = preact_convolutions(x, unit.convs, unit)
    return join_paths(mx.sym, paths, body, unit.residual, name=f"{unit.name}_join")


def glore(x, unit):
    """GloRe unit (Chen et al. 2019, section 3): x + extension(Y)."""
    post = unit.arrangement == "post"

    def conv(x, row):
        name = f"{unit.name}_{row.name}"
        if post:
            return convolution(x, row, name)
        return preact_convolution(x, row, name, **norm_of(unit))

    def extend(x):
        paths = [conv(x, row) for row in unit.extensions]
        return paths[0] if len(paths) == 1 else concat_channels(mx.sym, *paths)

    frames = unit.frames
    flat = flatten_locations(mx.sym, x, unit.axes)
    mask = conv(flat, unit.projection)
    way_in, pooled_mask, pooled_frames = flat, mask, frames
    if unit.pool_stride > 1:
        stride = (unit.pool_stride,) * unit.ndim
        way_in = pool_locations(mx.sym, flat, x, stride, frames=frames)
        pooled_mask = pool_locations(mx.sym, mask, x, stride, frames=frames)
        pooled_frames = 0  # pooled over time, too, and flat

    state = conv(way_in, unit.state)
    v = pool_to_nodes(mx.sym, state, pooled_mask, unit.normalize, pooled_frames)
    for adjacency, update in unit.graph:
        related = conv(swap_nodes_and_states(mx.sym, v), adjacency)
        v = v + swap_nodes_and_states(mx.sym, related)
        v = conv(rectify(mx.sym, v) if post else v, update)

    mask = conv(flat, unit.reverse) if unit.reverse else mask
    if unit.extend_first:
        y = broadcast_back(mx.sym, extend(v), mask, frames)
    else:
        y = extend(broadcast_back(mx.sym, v, mask, frames))
    if post:
        name = f"{unit.name}_{unit.extensions[0].name}"
        y = norm(y, name, unit.in_channels, relu=False, **norm_of(unit))
    y = restore_locations(mx.sym, y, x, unit.axes)
    return mx.sym.elemwise_add(x, y, name=f"{unit.name}_sum")


def nonlocal_block(x, unit):
    """Non-local block, embedded Gaussian (Wang et al. 2018): x + BatchNorm(W_z · attention)."""

    def conv(x, row):
        return convolution(x, row, f"{unit.name}_{row.name}")

    flat = flatten_locations(mx.sym, x, unit.axes)
    seen = pool_locations(mx.sym, flat, x, unit.pool, "max") if unit.subsample > 1 else flat
    y = attend(
        mx.sym, conv(flat, unit.theta), conv(seen, unit.phi), conv(seen, unit.value), unit.frames
    )
    name = f"{unit.name}_{unit.extension.name}"
    y = norm(conv(y, unit.extension), name, unit.in_channels, relu=False, **norm_of(unit))
    y = restore_locations(mx.sym, y, x, unit.axes)
    return mx.sym.elemwise_add(x, y, name=f"{unit.name}_sum")


def conv_norm(x, unit):
    """Convolution, BatchNorm, ReLU: the layers of heads for segmentation."""
    return norm(convolution(x, unit.conv, unit.name), unit.name, unit.out_channels, **norm_of(unit))


SPELL = {
    "residual": residual,
    "dual_path": dual_path,
    "conv": conv_norm,
    "glore": glore,
    "nonlocal": nonlocal_block,
}


def spell(x, unit, frames=0):
    """A unit of the plan; where channels pass it by, it sees the others only.

    `frames` is what the spec says of its stage: see `NetSpec.frames_at`.
    """

    def whole(x):
        if not (frames and reads_clips(unit)):
            return SPELL[unit.kind](x, unit)
        y = SPELL[unit.kind](batch_to_frames(mx.sym, x, frames), unit)
        return frames_to_batch(mx.sym, y, frames)

    if not getattr(unit, "passing", 0):
        return whole(x)
    path, dense = split_channels(mx.sym, x, unit.in_channels)
    path = whole(path)
    return concat_channels(mx.sym, path, dense, name=f"{unit.name}_path_join")
