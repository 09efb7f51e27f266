"""The feature maps of a network, for what is built on it: a detector, a head that labels pixels."""

from mxnet.gluon import HybridBlock, nn

from ..layers.frames import batch_to_frames
from ..layers.functional import flatten_locations, plain_copy
from ..plan.feature_maps import chosen_maps
from .network import Network, check_array


class Backbone(HybridBlock):
    """The feature maps of a `Network`: pixels `(B, C, *space)` -> a list, an array a stage.

    `features` names the stages, as ("res3", "res4", "res5"). The arrays come in that order and are
    `(B, channels, *space / strides)`, rounded up; `maps` has a `FeatureMap` of each, `channels` and
    `strides` are theirs. An extra unit behind the last residual unit of a stage belongs to it.

    The last stage's map has the tail's BatchNorm and ReLU behind it, those before it are sums as
    the next stage reads them: give what reads those a BatchNorm of its own.

    The layers are the network's own, up to the last one needed: both have the same parameters, and
    what is trained here is changed there. `spec` and `preprocess` are the network's, too. Raises
    InputError where a name is of no stage, and on inputs that the network does not take.
    """

    def __init__(self, net: Network, features):
        super().__init__(prefix="")
        self.spec = net.spec
        self.preprocess = net.preprocess
        self._looked_at = False  # by `check_array`
        self.maps = chosen_maps(net.spec, features)
        # The stem's layers stand before the first unit.
        self._ends = [net.first_unit + row.place for row in self.maps]
        self.features = nn.HybridSequential(prefix="")
        self.features.add(*list(net.features)[: max(self._ends)])

    @property
    def channels(self):
        """The channels of each map."""
        return tuple(row.channels for row in self.maps)

    @property
    def strides(self):
        """Input pixels for each location of each map, a number a dimension."""
        return tuple(row.strides for row in self.maps)

    def forward(self, x):
        """`(B, C, *space) ->` a list of `(B, channels, *space / strides)`.

        Raises InputError on an array of a shape or number type that the network does not take.
        Warns once where it is evaluated untrained.
        """
        check_array(self, x)
        return super().forward(x)

    def hybrid_forward(self, F, x):
        """`(B, C, *space) ->` a list of `(B, channels, *space / strides)`."""
        if self.spec.ndim == 1:
            x = flatten_locations(F, x, axes=1)
        found = {}
        for end, layer in enumerate(self.features, start=1):
            x = layer(x)
            found[end] = x
        return [self._map(F, found[end], row) for end, row in zip(self._ends, self.maps)]

    def _map(self, F, x, row):
        """What a layer gives, as the `FeatureMap` of `row`, with the input's dimensions."""
        if row.frames:
            return batch_to_frames(F, x, row.frames)
        # Whatever reads a map of five axes may take it for plain memory.
        y = plain_copy(F, x, self.spec.axes)
        return F.reshape(y, shape=(0, 0, -1)) if self.spec.ndim == 1 else y
