"""A network from its spec: stem, the units of the plan, tail, head if there is one, classifier."""

import warnings

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, nn

from ..layers.basic import GlobalAveragePool, Norm, OnClips, convolution, max_pool
from ..layers.dual_path import DualPath, OnResidualPath
from ..layers.fcn_head import AuxiliaryHead, ConvNorm
from ..layers.functional import flatten_locations, upsample
from ..layers.glore import GloRe, warn_of_unset_statistics
from ..layers.non_local import NonLocal
from ..layers.residual import Residual
from ..plan.extra_units import reads_clips
from ..plan.spec import INPUT_NORM, NetSpec
from ..plan.units import norm_of
from ..utils.errors import InputError
from .classifier import make_classifier, refuse_other_layers, take_place

BLOCKS = {
    "residual": Residual,
    "dual_path": DualPath,
    "conv": ConvNorm,
    "glore": GloRe.from_unit,
    "nonlocal": NonLocal.from_unit,
}


def make_unit(unit, frames=0):
    """The block of a unit of the plan; where channels pass it by, it sees the others only.

    `frames` is what the spec says of its stage: see `NetSpec.frames_at`.
    """
    block = BLOCKS[unit.kind](unit)
    if frames and reads_clips(unit):
        block = OnClips(block, frames)
    return OnResidualPath(block, unit.in_channels) if getattr(unit, "passing", 0) else block


def dtype_name(dtype):
    """The name of a type of MXNet's numbers: "float32", "bfloat16"."""
    if isinstance(dtype, str):
        return dtype
    dtype = np.dtype(dtype)
    return dtype.names[0] if dtype.names else dtype.name


def check_array(block, x):
    """Raise InputError on an array whose shape or number type a `Network`'s layers don't take.

    `block` is the network, or another with its `spec` and first `features`. Warns once where it is
    evaluated untrained: see `warn_of_unset_statistics`. Symbols, which are what a network is traced
    with, are no arrays.
    """
    if not isinstance(x, mx.nd.NDArray):
        return
    spec = block.spec
    if x.ndim != spec.ndim + 2 or x.shape[1] != spec.in_channels:
        raise InputError(
            f"{spec.name} takes (batch, {spec.in_channels}, {spec.ndim} spatial axes), given "
            f"{x.shape}"
        )
    spec.check_input(x.shape[2:])
    stem = block.features[1 if spec.stem.norm_input else 0]
    own, given = dtype_name(stem.weight.dtype), dtype_name(x.dtype)
    if own != given:
        remedy = f'give x.astype("{own}")' if own == "float32" else 'net.cast("float32")'
        raise InputError(f"{spec.name} computes in {own}, given numbers of {given}: {remedy}")
    if not block._looked_at and not mx.autograd.is_training():
        warn_of_unset_statistics(block)
        block._looked_at = True


class Network(HybridBlock):
    """Pre-activation network: pixels `(B, C, *space)` -> logits `(B, classes)`.

    Where the spec has a head, it labels every pixel: logits `(B, classes, H, W)` of the input's own
    height and width.

    `preprocess` says how pictures become its input, where its weights or who made it said so.

    As in Gluon's model zoo, `output` is the classifier, and `features` all layers before it. These
    end in pooled features `(B, feature_channels)`, or with a head in `(B, head.channels, H / 8,
    W / 8)`. `classes` defaults to the spec's. With 0 there is no classifier: `output` is None, and
    the network gives its pooled features. Raises InputError where it is below 0, or 0 with a head,
    and on an input of other channels, dimensions, frames or number type, or of too few pixels.

    `net.output = nn.Dense(5)`, with a head `nn.Conv2D(5, 1)`, is another classifier, or the first
    one: `net.classes` is 5, and its parameters have the names that files call a classifier by. Set
    it before a Trainer is made. Raises InputError on any other layer.
    """

    def __init__(self, spec: NetSpec, classes=None):
        classes = spec.classes if classes is None else classes
        if classes < 0 or classes == 0 and spec.head:
            pooled = "" if spec.head else ", or 0 for pooled features"
            raise InputError(f"classes must be at least 1{pooled}, given {classes}")
        super().__init__(prefix="")
        self.spec = spec
        self.classes = classes
        self.preprocess = None
        self._looked_at = False  # by `check_array`
        _, stem_norm, tail, _ = spec.names
        self.features = nn.HybridSequential(prefix="")
        if spec.stem.norm_input:
            axes = len(spec.stem_conv.kernel)  # of the clips that the stem reads, too
            pixels = Norm(INPUT_NORM, spec.in_channels, axes, relu=False, **norm_of(spec))
            self.features.add(pixels)
        self.features.add(convolution(spec.stem_conv))
        self.features.add(Norm(stem_norm, spec.stem.channels, spec.axes, **norm_of(spec)))
        if spec.stem_pool:
            self.features.add(max_pool(spec.stem_pool.of_last(spec.axes), "pool1"))
        self.first_unit = len(self.features)  # place of the plan's first unit in `features`
        for stage, unit in spec.plan_by_stage():
            self.features.add(make_unit(unit, spec.frames_at(stage)))
        self.features.add(Norm(tail, spec.feature_channels, spec.axes, **norm_of(spec)))
        for unit in spec.head_plan():
            self.features.add(make_unit(unit))
        if not spec.head:
            frames = spec.frames_at(1 + len(spec.stages))
            self.features.add(GlobalAveragePool(spec.axes, frames, prefix="global-pool_"))
        if spec.dropout:
            self.features.add(nn.Dropout(spec.dropout, prefix="dropout_"))
        super().__setattr__("output", make_classifier(spec, classes) if classes else None)
        if spec.head and spec.head.auxiliary:
            self.auxiliary = AuxiliaryHead(spec, classes)  # `WithAuxiliary` runs it

    def __setattr__(self, name, value):
        """Set an attribute; another `output` as the class says, or raises InputError."""
        if name != "output" or value is self.output:
            super().__setattr__(name, value)
            return
        old = self.output or make_classifier(self.spec, 1)
        refuse_other_layers(value, old)
        classes = value.weight.shape[0]
        if classes != self.classes and "auxiliary" in self._children:
            raise InputError(
                f"the auxiliary head of {self.spec.name} tells {self.classes} classes apart, given "
                f"an output of {classes}: make the network with classes={classes}"
            )
        take_place(value, old)
        super().__setattr__(name, value)
        self.classes = classes

    def forward(self, x):
        """`(B, C, *space) -> (B, classes)`, or with a head `(B, classes, H, W)`.

        Raises InputError on an array of a shape or number type that the network does not take.
        Warns once where it is evaluated untrained.
        """
        check_array(self, x)
        if not (self.spec.head and self.spec.head.auxiliary):
            return super().forward(x)
        with warnings.catch_warnings():  # only training runs `auxiliary`
            warnings.filterwarnings("ignore", "Parameter .* is not used by any computation")
            return super().forward(x)

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, classes)`, or with a head `(B, classes, H, W)`."""
        if self.spec.ndim == 1:
            x = flatten_locations(F, x, axes=1)
        y = self.features(x)
        y = y if self.output is None else self.output(y)
        return upsample(F, y, x, self.spec.total_stride) if self.spec.head else y
