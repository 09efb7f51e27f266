"""The feature maps of a network, for what is built on it: a detector, a head that labels pixels."""

from ..plan.feature_maps import chosen_maps
from .network import Network, Trunk


class Backbone(Trunk):
    """The feature maps of a `Network`: pixels `(B, C, *space)` -> a list, a tensor a stage.

    `features` names the stages, as ("res3", "res4", "res5"). The tensors come in that order and are
    `(B, channels, *space / strides)`, rounded up; `maps` has a `FeatureMap` of each, `channels` and
    `strides` are theirs. An extra unit behind the last residual unit of a stage belongs to it. The
    last stage's map has the tail's BatchNorm and ReLU behind it, those before it are sums as the
    next stage reads them.

    The layers are the network's own, up to the last one needed, and called as there: what is
    trained here is changed there. Raises InputError where a name is of no stage, and on inputs that
    the network does not take.
    """

    def __init__(self, net: Network, features):
        super().__init__(net.spec)
        self.maps = chosen_maps(net.spec, features)
        self.preprocess = net.preprocess
        last = max(list(net.spec.feature_maps).index(row.name) for row in self.maps)
        self.stages = net.stages[: last + 1]
        own = ["input", self._stem, "pool", *self.stages]
        own += [self._tail] * any(row.normalized for row in self.maps)
        for name in own:
            setattr(self, name, getattr(net, name))

    @property
    def channels(self):
        """The channels of each map."""
        return tuple(row.channels for row in self.maps)

    @property
    def strides(self):
        """Input pixels for each location of each map, a number a dimension."""
        return tuple(row.strides for row in self.maps)

    def forward(self, x):
        """`(B, C, *space) ->` a list of `(B, channels, *space / strides)`."""
        found = dict(zip(self.spec.feature_maps, self.stage_outputs(x)))
        return [
            self.tail_of(found[row.name]) if row.normalized else found[row.name]
            for row in self.maps
        ]
