"""Squeeze-and-excitation (Hu et al., CVPR 2018, https://arxiv.org/abs/1709.01507)."""

from mxnet.gluon import HybridBlock, nn

from ..plan.units import SqueezeExcite
from .basic import GlobalAveragePool
from .functional import rectify, scale_channels


class ChannelAttention(HybridBlock):
    """x scaled by sigmoid(fc2(relu(fc1(average of x)))): `(B, C, *space)` in and out."""

    drop_path = None  # a `DropPath` in training
    branch = (0, 0)  # a clip has one weight for all frames

    def __init__(self, row: SqueezeExcite):
        super().__init__(prefix="se_")
        # Not inside this block's name_scope(): <unit>_se-fc1_weight has one level below the unit.
        self._axes, self._frames = row.axes, row.frames
        self.pool = GlobalAveragePool(row.axes, row.frames, prefix="se-pool_")
        self.fc1 = nn.Dense(row.hidden, in_units=row.channels, prefix="se-fc1_")
        self.fc2 = nn.Dense(row.channels, in_units=row.hidden, prefix="se-fc2_")

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        weight = F.sigmoid(self.fc2(rectify(F, self.fc1(self.pool(x)))))
        if self.drop_path is not None:
            weight = self.drop_path(weight)
        return scale_channels(F, x, weight, self._axes, self._frames)
