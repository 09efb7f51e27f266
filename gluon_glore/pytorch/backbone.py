"""The feature maps of a network, for what is built on it: a detector, a head that labels pixels."""

import copy

from torch import nn

from ..plan.feature_maps import chosen_maps
from .network import Network


class Backbone(nn.Module):
    """The feature maps of a `Network`: pixels `(B, C, *space)` -> a list, a tensor a stage.

    `features` names the stages, as ("res3", "res4", "res5"). The tensors come in that order and are
    `(B, channels, *space / strides)`, rounded up; `maps` has a `FeatureMap` of each, `channels` and
    `strides` are theirs. The last stage's map has the tail's BatchNorm and ReLU behind it, those
    before it are sums as the next stage reads them.

    The layers are the network's own, up to the last one needed: what is trained here is changed
    there. Raises InputError where a name is of no stage, and on inputs that the network does not
    take.
    """

    def __init__(self, net: Network, features):
        super().__init__()
        self.maps = chosen_maps(net.spec, features)
        self.spec = net.spec
        self.preprocess = net.preprocess
        self.net = _trunk(net, self.maps)

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
        found = dict(zip(self.spec.feature_maps, self.net.stage_outputs(x)))
        return [
            self.net.tail_of(found[row.name]) if row.normalized else found[row.name]
            for row in self.maps
        ]


def _trunk(net, maps):
    """The network up to the last stage that `maps` needs, of the same layers, without a head."""
    trunk = copy.copy(net)
    trunk._modules = dict(net._modules)
    trunk.head = trunk.auxiliary = None
    trunk.add_module(trunk._classifier, None)
    last = max(list(net.spec.feature_maps).index(row.name) for row in maps)
    for name in trunk.stages[last + 1 :]:
        del trunk._modules[name]
    trunk.stages = trunk.stages[: last + 1]
    if not any(row.normalized for row in maps):
        trunk.add_module(trunk._tail, None)
    return trunk
