"""A network from its spec: stem, the units of the plan, tail, head if there is one, classifier."""

import warnings

import mxnet as mx
import numpy as np
from mxnet.gluon import HybridBlock, nn

from ..layers.basic import GlobalAveragePool, Norm, convolution, max_pool
from ..layers.dual_path import DualPath, OnResidualPath
from ..layers.fcn_head import AuxiliaryHead, ConvNorm, pixel_classifier
from ..layers.functional import flatten_locations, upsample
from ..layers.glore import GloRe, warn_of_unset_statistics
from ..layers.non_local import NonLocal
from ..layers.residual import Residual
from ..plan.spec import INPUT_NORM, NetSpec
from ..plan.units import norm_of
from ..utils.errors import InputError
from .classifier import refuse_other_layers, take_place

BLOCKS = {
    "residual": Residual,
    "dual_path": DualPath,
    "conv": ConvNorm,
    "glore": GloRe.from_unit,
    "nonlocal": NonLocal.from_unit,
}


def make_unit(unit):
    """The block of a unit of the plan; where channels pass it by, it sees the others only."""
    block = BLOCKS[unit.kind](unit)
    return OnResidualPath(block, unit.in_channels) if getattr(unit, "passing", 0) else block


def dtype_name(dtype):
    """The name of a type of MXNet's numbers: "float32", "bfloat16"."""
    if isinstance(dtype, str):
        return dtype
    dtype = np.dtype(dtype)
    return dtype.names[0] if dtype.names else dtype.name


class Network(HybridBlock):
    """Pre-activation network: pixels `(B, C, *space)` -> logits `(B, classes)`.

    Where the spec has a head, it labels every pixel: logits `(B, classes, H, W)` of the input's own
    height and width.

    `preprocess` says how pictures become its input, where its weights or who made it said so.

    As in Gluon's model zoo, `output` is the classifier, and `features` all layers before it. These
    end in pooled features `(B, feature_channels)`, or with a head in `(B, head.channels, H / 8,
    W / 8)`. `classes` defaults to the spec's. Raises InputError where it is below 1, and on an
    input of other channels, dimensions, frames or number type, or of too few pixels.

    `net.output = nn.Dense(5)`, with a head `nn.Conv2D(5, 1)`, is another classifier: `net.classes`
    is 5, and its parameters take the old one's names, as files have them. Set it before a Trainer
    is made. Raises InputError on any other layer.
    """

    def __init__(self, spec: NetSpec, classes=None):
        classes = spec.classes if classes is None else classes
        if classes < 1:
            raise InputError(f"classes must be at least 1, given {classes}")
        super().__init__(prefix="")
        self.spec = spec
        self.classes = classes
        self.preprocess = None
        self._looked_at = False  # by `warn_of_unset_statistics`
        _, stem_norm, tail, classifier = spec.names
        self.features = nn.HybridSequential(prefix="")
        if spec.stem.norm_input:
            pixels = Norm(INPUT_NORM, spec.in_channels, spec.axes, relu=False, **norm_of(spec))
            self.features.add(pixels)
        self.features.add(convolution(spec.stem_conv))
        self.features.add(Norm(stem_norm, spec.stem.channels, spec.axes, **norm_of(spec)))
        if spec.stem_pool:
            self.features.add(max_pool(spec.stem_pool, "pool1"))
        self.first_unit = len(self.features)  # place of the plan's first unit in `features`
        for unit in spec.plan():
            self.features.add(make_unit(unit))
        self.features.add(Norm(tail, spec.feature_channels, spec.axes, **norm_of(spec)))
        for unit in spec.head_plan():
            self.features.add(make_unit(unit))
        if not spec.head:
            self.features.add(GlobalAveragePool(spec.axes, prefix="global-pool_"))
        if spec.dropout:
            self.features.add(nn.Dropout(spec.dropout, prefix="dropout_"))
        if spec.head:
            self.output = pixel_classifier(classifier, spec.head.channels, classes)
            if spec.head.auxiliary:
                self.auxiliary = AuxiliaryHead(spec, classes)  # `WithAuxiliary` runs it
        else:
            channels = spec.feature_channels
            self.output = nn.Dense(classes, in_units=channels, prefix=f"{classifier}_")

    def __setattr__(self, name, value):
        """Set an attribute; another `output` as the class says, or raises InputError."""
        old = self._children.get(name) if name == "output" else None
        if old is None or old is value:
            super().__setattr__(name, value)
            return
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
        Warns once where it is evaluated untrained: see `warn_of_unset_statistics`.
        """
        if isinstance(x, mx.nd.NDArray):
            if x.ndim != self.spec.ndim + 2 or x.shape[1] != self.spec.in_channels:
                raise InputError(
                    f"{self.spec.name} takes (batch, {self.spec.in_channels}, {self.spec.ndim} "
                    f"spatial axes), given {x.shape}"
                )
            self.spec.check_input(x.shape[2:])
            own, given = dtype_name(self.output.weight.dtype), dtype_name(x.dtype)
            if own != given:
                remedy = f'give x.astype("{own}")' if own == "float32" else 'net.cast("float32")'
                raise InputError(
                    f"{self.spec.name} computes in {own}, given numbers of {given}: {remedy}"
                )
            if not self._looked_at and not mx.autograd.is_training():
                warn_of_unset_statistics(self)
                self._looked_at = True
        if not (self.spec.head and self.spec.head.auxiliary):
            return super().forward(x)
        with warnings.catch_warnings():  # only training runs `auxiliary`
            warnings.filterwarnings("ignore", "Parameter .* is not used by any computation")
            return super().forward(x)

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, classes)`, or with a head `(B, classes, H, W)`."""
        if self.spec.ndim == 1:
            x = flatten_locations(F, x, axes=1)
        y = self.output(self.features(x))
        return upsample(F, y, x, self.spec.total_stride) if self.spec.head else y
