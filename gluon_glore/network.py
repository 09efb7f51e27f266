"""A network from its spec: stem, walk of the plan, tail, classifier."""

import mxnet as mx
from mxnet.gluon import HybridBlock, nn

from .errors import InputError
from .functional import flatten_locations
from .glore import GloRe
from .layers import GlobalAveragePool, Norm, convolution, max_pool
from .resnet import Residual
from .spec import NetSpec

SPELL = {"residual": Residual, "glore": GloRe.from_unit}


class Network(HybridBlock):
    """Pre-activation classification network: pixels `(B, C, *space)` -> logits `(B, classes)`.

    `features` ends in the pooled `(B, feature_channels)`; `output` is the classifier, as in
    Gluon's model zoo. Raises ValueError where `classes` is below 1.
    """

    def __init__(self, spec: NetSpec, classes=1000):
        if classes < 1:
            raise InputError(f"classes must be at least 1, given {classes}")
        super().__init__(prefix="")
        self.spec = spec
        self.classes = classes
        self.features = nn.HybridSequential(prefix="")
        self.features.add(convolution(spec.stem_conv))
        self.features.add(Norm("conv1", spec.stem.channels, spec.axes))
        if spec.stem_pool:
            self.features.add(max_pool(spec.stem_pool, "pool1"))
        for unit in spec.plan():
            self.features.add(SPELL[unit.kind](unit))
        self.features.add(Norm("tail", spec.feature_channels, spec.axes))
        self.features.add(GlobalAveragePool(prefix="global-pool_"))
        self.output = nn.Dense(classes, in_units=spec.feature_channels, prefix="classifier_")

    def forward(self, x):
        spec = self.spec
        if isinstance(x, mx.nd.NDArray) and (
            x.ndim != spec.ndim + 2 or x.shape[1] != spec.in_channels
        ):
            raise InputError(
                f"{spec.name} takes (batch, {spec.in_channels}, {spec.ndim} spatial axes), "
                f"given {x.shape}"
            )
        return super().forward(x)

    def hybrid_forward(self, F, x):
        if self.spec.ndim == 1:
            x = flatten_locations(F, x)
        return self.output(self.features(x))
