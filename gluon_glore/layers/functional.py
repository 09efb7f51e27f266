"""The units' maths without parameters, shared by blocks and symbols: F is `mx.nd` or `mx.sym`.

Locations are flattened (paper, section 3.5), so that inputs of 1, 2 and 3 dimensions take the same
code. Arrays keep four axes, (B, C, L, 1) where the input has not two dimensions: 1x1 convolutions
of three or five axes do not train on MXNet's CPU (oneDNN) build.
"""

from .frames import (
    batch_to_frames,
    frames_to_locations,
    locations_to_frames,
    repeat_frames,
    sum_frames,
)


def plain_copy(F, x, axes=3, **name):
    """x, and in backward its gradient, copied to fresh memory in row-major layout.

    x itself where it has two spatial `axes`.

    MXNet's CPU build passes arrays of five axes in oneDNN's blocked layout to operators that do not
    know it (BatchNorm; reshape, in place; reshape_like in backward). What reads these next fails,
    or is silently wrong. A slice of the whole array is never in place, and never in blocks.
    """
    return x if axes == 2 else F.slice_axis(x, axis=0, begin=0, end=None, **name)


def rectify(F, x, **name):
    """max(x, 0), in oneDNN's layout. F.relu leaves it, and ResNet-50 took 1.5 times as long."""
    return F.Activation(x, act_type="relu", **name)


def flatten_locations(F, x, axes):
    """(B, C, *space) -> (B, C, L, 1); x itself where it has two spatial `axes`."""
    return x if axes == 2 else F.reshape(plain_copy(F, x), shape=(0, 0, -1, 1))


def restore_locations(F, y, like, axes):
    """(B, C, L, 1) -> (B, C, *space of `like`); y itself where that has two spatial `axes`.

    `like` must be used once more after this. Only its shape is read here, and so MXNet would give
    its memory to another array before, and fail on what it finds there.
    """
    if axes == 2:
        return y
    y = F.reshape_like(y, like, lhs_begin=2, lhs_end=None, rhs_begin=2, rhs_end=None)
    return plain_copy(F, y)


def pool_to_nodes(F, state, mask, normalize, frames=0):
    """Project state features onto nodes: (B, S, H, W), (B, N, H, W) -> (B, S, N, 1).

    V = state · maskᵀ, divided by the number of locations where `normalize` (paper, equation 3).
    With `frames` the locations of a clip are in so many pictures, (T·B, ...) as in `frames`.
    """
    state, mask = (F.reshape(x, shape=(0, 0, -1)) for x in (state, mask))
    v = F.batch_dot(state, mask, transpose_b=True)
    if normalize:
        # L is not known to the static graph, so it is counted: a sum of ones, (B, 1, 1).
        ones = F.ones_like(F.slice_axis(mask, axis=1, begin=0, end=1))
        v = F.broadcast_div(v, F.sum(ones, axis=2, keepdims=True))
    if frames:
        v = sum_frames(F, v, frames)
        v = v / frames if normalize else v  # of equally many locations in each
    return F.expand_dims(v, axis=3)


def swap_nodes_and_states(F, v):
    """(B, S, N, 1) -> (B, N, S, 1) and back."""
    return F.transpose(v, axes=(0, 2, 1, 3))


def broadcast_back(F, nodes, mask, frames=0):
    """Give every location its share of the nodes: (B, S, N, 1), (B, N, H, W) -> (B, S, H, W).

    Y = Z · mask (paper, section 3.4); flattened locations are H = L, W = 1. With `frames` the mask
    is of so many pictures of each clip, and the locations are, too.
    """
    if frames:
        nodes = repeat_frames(F, nodes, frames)
    y = F.batch_dot(*(F.reshape(x, shape=(0, 0, -1)) for x in (nodes, mask)))
    return F.reshape_like(y, mask, lhs_begin=2, lhs_end=3, rhs_begin=2, rhs_end=4)


def pool_locations(F, x, like, stride, kind="avg", frames=0):
    """Average or maximum of flattened x, (B, C, L, 1), over `stride` locations a dimension.

    `like`, (B, ?, *space), has the space that x was flattened from. A last window that reaches over
    the border takes only the locations inside. Of pictures, (T·B, C, H, W), `frames` of a clip are
    pooled together where `stride` has an entry for time: then the result is flat, (B, C, L', 1).
    """
    axes = len(stride)
    if frames and axes == 3:
        x = batch_to_frames(F, x, frames)
    elif axes == 1:  # flat (B, C, L, 1) is all the space there is
        stride = (*stride, 1)
    else:
        x = restore_locations(F, x, like, axes)
    pooled = F.Pooling(
        x,
        kernel=stride,
        stride=stride,
        pool_type=kind,
        pooling_convention="full",
        count_include_pad=False,
    )
    return pooled if axes == 1 else flatten_locations(F, pooled, axes)


def attend(F, queries, keys, values, frames=0):
    """Embedded-Gaussian attention: (B, M, H, W), keys and values may be pooled -> (B, M, H, W).

    y_i = sum over j of softmax_j(queries_i · keys_j) values_j (Wang et al. 2018, equation 4). With
    `frames` the locations of a clip are in so many pictures, (T·B, M, H, W) as in `frames`.
    """
    q, k, v = (F.reshape(x, shape=(0, 0, -1)) for x in (queries, keys, values))
    if frames:
        q, k, v = (frames_to_locations(F, x, frames) for x in (q, k, v))
    weights = F.softmax(F.batch_dot(q, k, transpose_a=True), axis=2)  # (B, L, L)
    y = F.batch_dot(v, weights, transpose_b=True)
    if frames:
        y = locations_to_frames(F, y, frames)
    return F.reshape_like(y, queries, lhs_begin=2, lhs_end=3, rhs_begin=2, rhs_end=4)


def scale_channels(F, x, weight, axes, frames=0):
    """x times one weight a channel: (B, C, *space), (B, C) -> (B, C, *space).

    With `frames` x is so many pictures of each clip, (T·B, C, H, W), which have the same weights.
    """
    if frames:
        weight = repeat_frames(F, weight, frames)
    weight = F.reshape(weight, shape=(0, 0) + (1,) * axes)
    return plain_copy(F, F.broadcast_mul(plain_copy(F, x, axes), weight), axes)


def split_channels(F, x, channels):
    """(B, C, *space) -> its first `channels`, and the others."""
    return (
        F.slice_axis(x, axis=1, begin=0, end=channels),
        F.slice_axis(x, axis=1, begin=channels, end=None),
    )


def concat_channels(F, *parts, **name):
    """Parts (B, C_i, *space) -> (B, sum of C_i, *space).

    The result is copied, because the gradient of concat can't cut oneDNN's blocks of 16 channels
    ("could not construct a sub-memory").
    """
    return plain_copy(F, F.concat(*parts, dim=1), **name)


def join_paths(F, x, y, residual, **name):
    """The dual-path step: (B, R + D, ...), (B, R + G, ...) -> (B, R + D + G, ...).

    Residual paths add up, dense paths are concatenated (Chen et al. 2017, section 4).
    """
    x_residual, x_dense = split_channels(F, x, residual)
    y_residual, y_dense = split_channels(F, y, residual)
    return concat_channels(F, x_residual + y_residual, x_dense, y_dense, **name)


def upsample(F, x, like, stride):
    """Bilinear interpolation of locations `stride` pixels apart: (B, C, h, w) -> (B, C, H, W).

    Location i of x is that of pixel `i * stride` of `like`, (B, ?, H, W), as it is for convolutions
    that are padded by half their kernel. So a picture's logits do not depend on where its borders
    are. Pixels behind the last location have its value.

    Each axis is a product with a matrix of weights. ONNX has all operators of that, also for sizes
    that vary, and on MXNet's CPU build it took an eighth of BilinearResize2D's time, forward and
    backward.
    """
    weights = [_weights(F, x, like, axis, step) for axis, step in zip((2, 3), stride)]
    x = F.swapaxes(F.dot(F.swapaxes(x, 2, 3), weights[0]), 2, 3)
    return F.dot(x, weights[1])


def _weights(F, x, like, axis, stride):
    """The weight of each location of x, along an axis, in each pixel of `like`: (h, H)."""
    locations = F.contrib.arange_like(x, axis=axis)
    pixels = F.contrib.arange_like(like, axis=axis) / stride
    pixels = F.broadcast_minimum(pixels, F.max(locations))
    apart = F.broadcast_sub(F.expand_dims(locations, axis=1), F.expand_dims(pixels, axis=0))
    return F.relu(1 + F.negative(F.abs(apart)))  # the ONNX exporter prints something for 1 - x
