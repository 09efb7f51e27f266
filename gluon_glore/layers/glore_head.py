"""The paper's head for labelling pixels, for any backbone.

Chen et al., CVPR 2019 (https://arxiv.org/abs/1811.12814), section 4.3: a GloRe unit between two
convolutions. `plan/head.py` has its layers and widths.
"""

from mxnet.gluon import nn

from ..plan.fields import LARGEST
from ..plan.head import FCNHead
from ..utils import kinds
from .fcn_head import ConvNorm, pixel_classifier
from .glore import GloRe

_KINDS = {
    "classes": kinds.whole(1, LARGEST),
    "nodes": kinds.whole(1, LARGEST),
    "channels": kinds.whole(1, LARGEST),
    "units": kinds.whole(0, LARGEST),
    "dropout": kinds.number(0, 1),
    "in_channels": kinds.whole(0, LARGEST),
}


class GloReHead(nn.HybridSequential):
    """Features of a backbone to logits: `(B, C, h, w) -> (B, classes, h, w)`, of any size.

    3x3 convolution, GloRe unit, 3x3 convolution, dropout, 1x1 classifier; BatchNorm and ReLU stand
    behind both convolutions. `head[-1]` is the classifier.

    Parameters
    ----------
    classes : classes of a pixel.
    nodes : nodes of a unit's graph; each has twice as many states.
    channels : filters of the two convolutions, and channels of the units.
    units : GloRe units between the convolutions; 0 for a plain head.
    dropout : share of the features left out in training, 0 to 1.
    in_channels : channels C of the features; 0 takes those of the first input.
    prefix : prefix of the parameters.

    Raises InputError naming the option that is out of range.
    """

    def __init__(
        self, classes, nodes=64, channels=512, units=1, dropout=0.1, in_channels=0, prefix=None
    ):
        given = (classes, nodes, channels, units, dropout, in_channels)
        for value, (name, kind) in zip(given, _KINDS.items()):
            kind.check(value, f"GloReHead: {name}")
        super().__init__(prefix=prefix)
        plan = FCNHead(channels, units, nodes).plan(in_channels or None, norm={})
        with self.name_scope():
            for unit in plan:
                self.add(ConvNorm(unit) if unit.kind == "conv" else GloRe.from_unit(unit))
            if dropout:
                self.add(nn.Dropout(dropout, prefix="dropout_"))
            self.add(pixel_classifier("classifier", channels, classes))
