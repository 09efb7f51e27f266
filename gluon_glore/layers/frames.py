"""Clips with time in the batch axis, `(T·B, C, H, W)`: the first frame of every clip comes first.

MXNet's CPU build is fast, and right, on four axes; arrays of five it has to copy at almost every
layer. So networks of `NetSpec.clip_frames` compute on pictures, and a kernel that reaches over
several frames adds up what it makes of each. T is known from the plan, B is not.

F is `mx.nd` or `mx.sym`, as in `functional`.
"""

import functools


def cut(F, x, count, axis, **options):
    """x cut into `count` equal parts along an axis, a list."""
    parts = F.split(x, num_outputs=count, axis=axis, **options)
    return [parts] if count == 1 else list(parts)


def frames_to_batch(F, x, frames):
    """(B, C, T, H, W) -> (T·B, C, H, W)."""
    return F.concat(*cut(F, x, frames, axis=2, squeeze_axis=True), dim=0)


def batch_to_frames(F, x, frames):
    """(T·B, C, H, W) -> (B, C, T, H, W)."""
    return F.stack(*cut(F, x, frames, axis=0), axis=2)


def sum_frames(F, x, frames):
    """The sum over the frames of a clip: (T·B, ...) -> (B, ...)."""
    return F.add_n(*cut(F, x, frames, axis=0))


def largest_of_frames(F, x, frames):
    """The maximum over the frames of a clip: (T·B, ...) -> (B, ...)."""
    return functools.reduce(F.maximum, cut(F, x, frames, axis=0))


def repeat_frames(F, x, frames):
    """The same in every frame: (B, ...) -> (T·B, ...)."""
    return F.concat(*[x] * frames, dim=0)


def frames_to_locations(F, x, frames):
    """(T·B, C, L) -> (B, C, T·L), the locations of the first frame first."""
    return F.concat(*cut(F, x, frames, axis=0), dim=2)


def locations_to_frames(F, x, frames):
    """(B, C, T·L) -> (T·B, C, L)."""
    return F.concat(*cut(F, x, frames, axis=2), dim=0)


def convolve_frames(F, x, weight, bias, conv, **name):
    """The convolution of a plan's `Conv` that has `frames`: (T·B, I, H, W) -> (T'·B, O, H', W').

    One of `clips` reads (B, I, T, H, W). `weight` is (O, I / groups, k, kh, kw), as for five axes;
    `bias` (O,) or None. Where k is above 1 there are neither groups nor a bias.
    """
    time, *kernel = conv.kernel
    channels = conv.out_channels
    see = functools.partial(_see, F, stride=conv.stride[0], count=conv.frames_out)
    offsets = [i * conv.dilation[0] - conv.pad[0] for i in range(time)]
    behind = time > 1 and conv.in_channels > channels  # where the kernel's frames are added up
    if behind:
        x = frames_to_batch(F, x, conv.frames) if conv.clips else x
        weight = _by_frame(F, weight, conv)
        channels *= time
    else:  # they are joined by channels before, as these are fewer
        if conv.clips or time > 1 or conv.stride[0] > 1:
            axis = 2 if conv.clips else 0
            parts = cut(F, x, conv.frames, axis, squeeze_axis=conv.clips)
            seen = [see(parts, offset) for offset in offsets]
            x = F.concat(*seen, dim=1) if time > 1 else seen[0]
        weight = _joined(F, weight, conv)
    y = F.Convolution(
        *(array for array in (x, weight, bias) if array is not None),
        num_filter=channels,
        kernel=tuple(kernel),
        stride=conv.stride[1:],
        pad=conv.pad[1:],
        dilate=conv.dilation[1:],
        num_group=conv.groups,
        no_bias=bias is None,
        **name,
    )
    if not behind:
        return y
    parts = (cut(F, part, conv.frames, axis=0) for part in cut(F, y, time, axis=1))
    return F.add_n(*(see(part, offset) for part, offset in zip(parts, offsets)))


def _joined(F, weight, conv):
    """(O, I, k, kh, kw) -> (O, k·I, kh, kw), the channels of the first frame first."""
    time, *kernel = conv.kernel
    if time == 1:
        return F.reshape(
            weight, shape=(conv.out_channels, conv.in_channels // conv.groups, *kernel)
        )
    return F.concat(*cut(F, weight, time, axis=2, squeeze_axis=True), dim=1)


def _by_frame(F, weight, conv):
    """(O, I, k, kh, kw) -> (k·O, I, kh, kw), the channels for the first frame first."""
    time, *kernel = conv.kernel
    if kernel != [1, 1]:
        return F.concat(*cut(F, weight, time, axis=2, squeeze_axis=True), dim=0)
    # The same, by what MXNet transposes fast.
    weight = F.transpose(F.reshape(weight, shape=(-1, time)), axes=(1, 0))
    return F.reshape(weight, shape=(time * conv.out_channels, conv.in_channels, *kernel))


def _see(F, parts, offset, stride, count):
    """For each of `count` frames `stride` apart the one `offset` behind it, zeros outside the clip.

    `parts` are the frames of a clip, `(B, C, H, W)` each -> (count·B, C, H, W).
    """
    zeros = F.zeros_like(parts[0])
    places = (i * stride + offset for i in range(count))
    return F.concat(*(parts[i] if 0 <= i < len(parts) else zeros for i in places), dim=0)
