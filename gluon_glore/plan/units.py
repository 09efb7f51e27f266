"""The units of backbones and heads: plain rows of widths, strides, kernels and options.

A unit knows its own convolutions, whose names are relative to it. Where it stands in a network is
known to `spec.py` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Tuple, Union

from ..utils.errors import InputError

BATCH_NORM_EPS = 1e-4  # of the authors' PyTorch files; released MXNet files may have another
BATCH_NORM_MOMENTUM = 0.9  # MXNet's own, and that of the authors' dual-path networks


def norm_of(row):
    """BatchNorm's options of a `NetSpec` or a unit: `{"eps": ..., "momentum": ...}`."""
    return {"eps": row.eps, "momentum": row.momentum}


@dataclass(frozen=True)
class Conv:
    """One convolution: `(B, in_channels, *space) -> (B, out_channels, *space / stride)`.

    `in_channels` None are as many as its first input has. `kernel`, `stride`, `pad` and `dilation`
    have one entry a spatial axis. `frames` above 0 is the T of clips with time in the batch axis:
    `(T·B, in_channels, H, W) -> (T'·B, out_channels, H', W')`, T' `frames_out`. The stem's reads
    `clips`, `(B, in_channels, T, H, W)`. Raises InputError where a number is below 1, or the groups
    do not divide the channels.
    """

    name: str
    in_channels: Union[int, None]
    out_channels: int
    kernel: Tuple[int, ...]
    stride: Tuple[int, ...]
    pad: Tuple[int, ...]
    groups: int = 1
    bias: bool = False
    dilation: Tuple[int, ...] = (1, 1)
    frames: int = 0
    clips: bool = False

    def __post_init__(self):
        channels = [n for n in (self.in_channels, self.out_channels) if n is not None]
        if min(*channels, self.groups) < 1:
            raise InputError(
                f"{self.name}: channels and groups must be at least 1, given "
                f"{self.in_channels} -> {self.out_channels} in {self.groups} groups"
            )
        if min(*self.kernel, *self.stride) < 1:
            raise InputError(
                f"{self.name}: kernel and stride must be at least 1, given {self.kernel} and "
                f"{self.stride}"
            )
        if any(n % self.groups for n in channels):
            raise InputError(
                f"{self.name}: {self.groups} groups do not divide "
                f"{self.in_channels} -> {self.out_channels} channels"
            )

    @property
    def axes(self) -> int:
        """The spatial axes of what it gives."""
        return 2 if self.frames else len(self.kernel)

    @property
    def frames_out(self) -> int:
        """The frames that it makes of `frames`."""
        reach = self.dilation[0] * (self.kernel[0] - 1) + 1
        return (self.frames + 2 * self.pad[0] - reach) // self.stride[0] + 1


def make_conv(
    name, in_channels, out_channels, kernel=1, stride=1, ndim=2, dilation=1, **options
) -> Conv:
    """A `Conv` padded so that stride 1 keeps the size.

    Kernel, stride and dilation are as `per_axis` takes them; an axis of kernel 1 is not dilated.
    One-dimensional networks run on `(B, C, L, 1)`: MXNet's CPU build does not train on three axes.
    """
    kernel, stride = per_axis(kernel, ndim), per_axis(stride, ndim)
    dilation = tuple(d if k > 1 else 1 for d, k in zip(per_axis(dilation, ndim), kernel))
    pad = tuple(d * (k // 2) for d, k in zip(dilation, kernel))
    return Conv(name, in_channels, out_channels, kernel, stride, pad, dilation=dilation, **options)


def per_axis(value, ndim):
    """A kernel, stride or dilation with one entry an axis, from one number or a tuple of `ndim`.

    Of one dimension it has a second entry, 1. Raises InputError on a tuple of another length.
    """
    values = value if isinstance(value, tuple) else (value,) * ndim
    if len(values) != ndim:
        raise InputError(
            f"a kernel or stride of {ndim} dimensions has {ndim} entries, given {value}"
        )
    return values + (1,) if ndim == 1 else values


@dataclass(frozen=True)
class SqueezeExcite:
    """Channel attention: two dense layers with bias (Hu et al. 2018), `<unit>_se-fc{1,2}_*`.

    `hidden` is the width between them, `axes` the number of the input's spatial axes, `frames` is
    as in `Conv`. Raises InputError where `hidden` is below 1.
    """

    channels: int
    hidden: int
    axes: int = 2
    frames: int = 0

    def __post_init__(self):
        if self.hidden < 1:
            raise InputError(
                f"channel attention on {self.channels} channels needs a hidden width of at least "
                f"1, given {self.hidden}: the reduction is larger than the width"
            )


@dataclass(frozen=True)
class ResidualUnit:
    """Pre-activation residual unit: x + convs(x), each convolution behind BatchNorm and ReLU.

    `shortcut` is the projection of x where the size or width changes (He et al. 2016, v2). With
    `shared_norm` it reads what the first convolution reads, behind the one BatchNorm of both;
    `squeeze_excite` scales the channels behind the last convolution. `eps` and `momentum` are
    BatchNorm's, here and in the other units.
    """

    kind: ClassVar[str] = "residual"
    name: str
    convs: Tuple[Conv, ...]
    shortcut: Union[Conv, None] = None
    squeeze_excite: Union[SqueezeExcite, None] = None
    shared_norm: bool = False
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    @property
    def in_channels(self) -> int:
        """The channels of the input."""
        return self.convs[0].in_channels

    @property
    def out_channels(self) -> int:
        """The channels of the output."""
        return self.convs[-1].out_channels


@dataclass(frozen=True)
class DualPathUnit:
    """Dual-path unit (Chen et al. 2017): a residual path and a densely growing one, concatenated.

    The first `residual` channels of input and output are the residual path, the others the dense
    one. The last convolution computes what is added to the first and appended to the second.
    `projection`, in the first unit of a stage, makes both paths anew from the input.
    """

    kind: ClassVar[str] = "dual_path"
    name: str
    residual: int
    convs: Tuple[Conv, ...]
    projection: Union[Conv, None] = None
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    @property
    def in_channels(self) -> int:
        """The channels of the input, both paths together."""
        return self.convs[0].in_channels

    @property
    def out_channels(self) -> int:
        """The channels of the output, both paths together; the dense one has grown."""
        before = self.projection.out_channels if self.projection else self.in_channels
        return before + self.convs[-1].out_channels - self.residual


@dataclass(frozen=True)
class ConvUnit:
    """A convolution, then BatchNorm and ReLU: the layers of heads for segmentation.

    Its parameters are `<name>__{conv,bn}_*`.
    """

    kind: ClassVar[str] = "conv"
    conv: Conv
    eps: float = BATCH_NORM_EPS
    momentum: float = BATCH_NORM_MOMENTUM

    @property
    def name(self) -> str:
        """The convolution's name."""
        return self.conv.name

    @property
    def out_channels(self) -> int:
        """The channels of the output."""
        return self.conv.out_channels
