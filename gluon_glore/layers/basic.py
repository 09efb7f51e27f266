"""The layers that units are made of, for two or three spatial axes.

Parameters have the names of the released files. They are relative: a unit creates its layers inside
its `name_scope()`, and they take on its prefix.
"""

import functools

from mxnet import init
from mxnet.gluon import HybridBlock, nn

from ..plan.stages import Pool
from ..plan.units import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, Conv
from .frames import (
    batch_to_frames,
    convolve_frames,
    frames_to_batch,
    largest_of_frames,
    sum_frames,
)
from .functional import flatten_locations, plain_copy, rectify

CONVOLUTIONS = {2: nn.Conv2D, 3: nn.Conv3D}
MAX_POOLS = {2: nn.MaxPool2D, 3: nn.MaxPool3D}


class FramesConv(nn.Conv3D):
    """A 3-D convolution with time in the batch axis, see `frames.convolve_frames`."""

    def __init__(self, conv: Conv, *args, **options):
        super().__init__(*args, **options)
        self._conv = conv

    def hybrid_forward(self, F, x, weight, bias=None):
        """`(T·B, C, H, W)`, or clips `(B, C, T, H, W)`, `-> (T'·B, C', H', W')`."""
        return convolve_frames(F, x, weight, bias, self._conv, name="fwd")


def convolution(conv: Conv):
    """The Gluon layer of a `Conv`: parameters `<name>__conv_{weight,bias}`, He-normal weights."""
    make = CONVOLUTIONS[len(conv.kernel)]
    if conv.frames:
        make = functools.partial(FramesConv, conv)
    return make(
        conv.out_channels,
        conv.kernel,
        strides=conv.stride,
        padding=conv.pad,
        dilation=conv.dilation,
        groups=conv.groups,
        use_bias=conv.bias,
        in_channels=conv.in_channels or 0,  # of Gluon: found by the first forward
        weight_initializer=init.Xavier("gaussian", "in", 2),
        prefix=f"{conv.name}__conv_",
    )


class UnitBlock(HybridBlock):
    """A block that users make from options, and a plan from its row: both call `_build(unit)`."""

    @classmethod
    def from_unit(cls, unit):
        """The block of a unit of the plan; its parameters begin with the unit's name."""
        block = cls.__new__(cls)
        HybridBlock.__init__(block, prefix=f"{unit.name}_")
        block._build(unit)
        return block


class Norm(HybridBlock):
    """BatchNorm, then ReLU where `relu`: `(B, channels, *space)` in and out.

    Parameters `<name>__bn_{gamma,beta,running_mean,running_var}`. With three spatial `axes` it
    works on plain copies: without them a 3-D BatchNorm does not train on MXNet's CPU build.
    `stand_in(F, x, norm)`, where it is set, is called instead of the BatchNorm `norm`: statistics
    of several processes are computed so in training.
    """

    def __init__(
        self,
        name,
        channels,
        axes=2,
        relu=True,
        zero_gamma=False,
        eps=BATCH_NORM_EPS,
        momentum=BATCH_NORM_MOMENTUM,
    ):
        super().__init__(prefix=f"{name}__")
        self._axes = axes
        self._relu = relu
        self.stand_in = None
        # Not inside this block's name_scope(): names in the files have one level below the unit.
        self.norm = nn.BatchNorm(
            epsilon=eps,
            momentum=momentum,
            in_channels=channels,
            gamma_initializer="zeros" if zero_gamma else "ones",
            prefix=f"{name}__bn_",
        )

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        x = plain_copy(F, x, self._axes)
        y = self.norm(x) if self.stand_in is None else self.stand_in(F, x, self.norm)
        if self._relu:
            y = rectify(F, y, name="ac")  # as released symbols call it: <name>__ac
        return plain_copy(F, y, self._axes)


def freeze_norm(net, spared=()):
    """Make every BatchNorm of a network use its running statistics in training, too.

    But for those that have a parameter among the names `spared`: new layers have none to keep.
    """

    def freeze(block):
        if isinstance(block, nn.BatchNorm) and block.gamma.name not in spared:
            block._kwargs["use_global_stats"] = True  # the options of its operator

    net.apply(freeze)


def is_frozen(norm):
    """Whether `freeze_norm` was applied to a BatchNorm."""
    return norm._kwargs["use_global_stats"]


def all_frozen(net):
    """Whether `freeze_norm` was applied to every BatchNorm of a network."""
    norms = []
    net.apply(lambda block: norms.append(block) if isinstance(block, nn.BatchNorm) else None)
    return all(map(is_frozen, norms))


def momenta(net):
    """The momentum of each BatchNorm of a network, by the name of its running mean."""
    found = {}

    def note(block):
        if isinstance(block, nn.BatchNorm):
            found[block.running_mean.name] = block._kwargs["momentum"]

    net.apply(note)
    return found


class PreActConv(HybridBlock):
    """BatchNorm, ReLU, convolution (He et al. 2016, https://arxiv.org/abs/1603.05027)."""

    drop_path = None  # a `DropPath` in training

    def __init__(self, conv: Conv, eps=BATCH_NORM_EPS, momentum=BATCH_NORM_MOMENTUM):
        super().__init__(prefix=f"{conv.name}_")
        self.branch = (conv.axes, conv.frames)
        self.norm = Norm(conv.name, conv.in_channels, conv.axes, eps=eps, momentum=momentum)
        self.conv = convolution(conv)

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C', *space')`, smaller by the convolution's stride."""
        x = self.norm(x)
        return self.conv(x if self.drop_path is None else self.drop_path(x))


class OnClips(HybridBlock):
    """A unit that is given an axis for time in a network that has it in the batch axis."""

    def __init__(self, unit, frames):
        super().__init__(prefix=f"{unit.prefix}clips_")
        self._frames = frames
        self.unit = unit

    def hybrid_forward(self, F, x):
        """`(T·B, C, H, W)` in and out; for the unit `(B, C, T, H, W) -> (B, C, T, H, W)`."""
        y = self.unit(batch_to_frames(F, x, self._frames))
        return frames_to_batch(F, y, self._frames)


def max_pool(pool: Pool, name):
    """The Gluon layer of a `Pool`."""
    return MAX_POOLS[len(pool.kernel)](
        pool.kernel, strides=pool.stride, padding=pool.pad, prefix=f"{name}_"
    )


class GlobalAveragePool(HybridBlock):
    """Average over all locations: `(B, C, *space) -> (B, C)`.

    With `mean_max` set it is the mean of average and maximum, see `pool_mean_max`. Three spatial
    `axes` are flattened, because a hybridised GlobalAvgPool3D fails on MXNet's CPU build. With
    `frames` T it is also the average over those: `(T·B, C, H, W) -> (B, C)`.
    """

    def __init__(self, axes=2, frames=0, prefix=None):
        super().__init__(prefix=prefix)
        self.mean_max = False
        self._axes = axes
        self._frames = frames

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C)`."""
        flat = flatten_locations(F, x, self._axes)
        pooled = F.Pooling(flat, global_pool=True, pool_type="avg", kernel=(1, 1))
        if self._frames:
            pooled = sum_frames(F, pooled, self._frames) / self._frames
        if self.mean_max:
            largest = F.Pooling(flat, global_pool=True, pool_type="max", kernel=(1, 1))
            if self._frames:
                largest = largest_of_frames(F, largest, self._frames)
            pooled = (pooled + largest) / 2
        return F.flatten(pooled)


def pool_mean_max(net):
    """Make a network classify the mean of its average and its maximum features.

    For evaluation on pictures larger than in training, as the DPN work does at 320 pixels
    (https://arxiv.org/abs/1707.01629). Call it before the first forward.
    """

    def change(block):
        if isinstance(block, GlobalAveragePool):
            block.mean_max = True

    net.apply(change)
