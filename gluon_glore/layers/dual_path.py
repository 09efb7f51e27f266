"""The dual-path unit (Chen et al., Dual Path Networks, 2017, https://arxiv.org/abs/1707.01629)."""

from mxnet.gluon import HybridBlock, nn

from ..plan.units import DualPathUnit, norm_of
from .basic import PreActConv
from .functional import concat_channels, join_paths, split_channels


class DualPath(HybridBlock):
    """Both paths in one tensor, residual first: `(B, C, *space) -> (B, C', *space / stride)`."""

    def __init__(self, unit: DualPathUnit):
        super().__init__(prefix=f"{unit.name}_")
        self._residual = unit.residual
        with self.name_scope():
            projection = unit.projection
            self.projection = PreActConv(projection, **norm_of(unit)) if projection else None
            self.body = nn.HybridSequential(prefix="body_")
            for conv in unit.convs:
                self.body.add(PreActConv(conv, **norm_of(unit)))

    def hybrid_forward(self, F, x):
        """The paths' channels grow: `(B, R + D, *space) -> (B, R + D + G, *space')`."""
        paths = x if self.projection is None else self.projection(x)
        return join_paths(F, paths, self.body(x), self._residual, name="join")


class OnResidualPath(HybridBlock):
    """A unit that sees the first `channels` only; the others pass by."""

    def __init__(self, unit, channels):
        super().__init__(prefix=f"{unit.name}_path_")
        self._channels = channels
        self.unit = unit

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C, *space)`, the channels behind the first ones unchanged."""
        residual, dense = split_channels(F, x, self._channels)
        return concat_channels(F, self.unit(residual), dense, name="join")
