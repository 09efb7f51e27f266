"""The non-local block (Wang et al., CVPR 2018, https://arxiv.org/abs/1711.07971), the baseline."""

from mxnet.gluon import HybridBlock

from ..plan.units import BATCH_NORM_EPS, NonLocalUnit
from .basic import Norm, convolution
from .functional import attend, flatten_locations, pool_locations, restore_locations


class NonLocal(HybridBlock):
    """Embedded-Gaussian non-local block: `(B, C, *space) -> (B, C, *space)`.

    out = x + BatchNorm(W_z · attention(theta, phi, g)); starts as the identity, but with
    `zero_gamma` False. `mid_channels` is the inner width, half of `in_channels` in the paper;
    `subsample` max-pools the input of keys and values over that many pixels a spatial dimension;
    `eps` is BatchNorm's. Raises InputError on values below 1.
    """

    def __init__(
        self,
        in_channels,
        mid_channels,
        ndim=2,
        subsample=1,
        zero_gamma=True,
        eps=BATCH_NORM_EPS,
        prefix=None,
    ):
        super().__init__(prefix=prefix)
        unit = NonLocalUnit(
            self.name, in_channels, mid_channels, ndim, subsample, zero_gamma, eps=eps
        )
        self._axes = ndim
        self._pool = unit.pool if subsample > 1 else None
        with self.name_scope():
            self.theta = convolution(unit.theta)
            self.phi = convolution(unit.phi)
            self.value = convolution(unit.value)
            self.extension = convolution(unit.extension)
            name = unit.extension.name
            self.norm = Norm(name, in_channels, relu=False, zero_gamma=zero_gamma, eps=eps)

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        flat = flatten_locations(F, x, self._axes)
        seen = pool_locations(F, flat, x, self._pool, "max") if self._pool else flat
        y = attend(F, self.theta(flat), self.phi(seen), self.value(seen))
        y = self.norm(self.extension(y))
        return x + restore_locations(F, y, x, self._axes)
