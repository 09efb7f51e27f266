"""The non-local block (Wang et al., CVPR 2018, https://arxiv.org/abs/1711.07971), the baseline."""

import torch
from torch import nn

from ..plan.extra_units import NonLocalUnit
from .extra_unit import ExtraUnit
from .layers import MAX_POOLS, norm, pointwise


class NonLocal(ExtraUnit):
    """Embedded-Gaussian non-local block: `(B, C, *space) -> (B, C, *space)`.

    out = x + BatchNorm(W_z · attention(theta, phi, g)). `in_channels` is C, `mid_channels` the
    inner width, half of it in the paper, `ndim` the dimensions of the input. `options` are the
    others of `gluon_glore.plan.extra_units.NonLocalUnit`: `subsample` and `zero_gamma`. Raises
    InputError naming the field that is of another type or out of range.
    """

    def __init__(self, in_channels, mid_channels, ndim=2, **options):
        self._build(NonLocalUnit("NonLocal", in_channels, mid_channels, ndim, **options))

    def _build(self, unit):
        super().__init__(unit)
        ndim = unit.ndim
        self.nl_theta = pointwise(unit.theta, ndim)
        self.nl_phi = pointwise(unit.phi, ndim)
        self.nl_g = pointwise(unit.value, ndim)
        self.nl_out = pointwise(unit.extension, ndim)
        self.nl_out_bn = norm(unit.in_channels, ndim, unit)
        if unit.zero_gamma:
            nn.init.zeros_(self.nl_out_bn.weight)
        self.pool = nn.Identity()
        if unit.subsample > 1:
            self.pool = MAX_POOLS[ndim](unit.pool[:ndim], ceil_mode=True)

    def _reason(self, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        seen = self.pool(x)
        queries = self.nl_theta(x).flatten(2)
        keys, values = self.nl_phi(seen).flatten(2), self.nl_g(seen).flatten(2)
        weights = torch.matmul(queries.transpose(1, 2), keys).softmax(2)  # (B, L, L')
        y = torch.matmul(values, weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        return self.nl_out_bn(self.nl_out(y))
