"""The non-local block (Wang et al., CVPR 2018, https://arxiv.org/abs/1711.07971), the baseline."""

from ..plan.extra_units import NonLocalUnit
from ..plan.units import BATCH_NORM_EPS, BATCH_NORM_MOMENTUM, norm_of
from .basic import Norm, UnitBlock, convolution
from .functional import attend, flatten_locations, pool_locations, restore_locations


class NonLocal(UnitBlock):
    """Embedded-Gaussian non-local block: `(B, C, *space) -> (B, C, *space)`.

    out = x + BatchNorm(W_z · attention(theta, phi, g)).

    Parameters
    ----------
    in_channels : channels C of the input.
    mid_channels : inner width, half of `in_channels` in the paper.
    ndim : spatial dimensions of the input, 1, 2 or 3 (time first).
    subsample : max-pool the input of keys and values over that many pixels a spatial dimension.
    zero_gamma : start as the identity; False starts BatchNorm's gamma at one.
    eps, momentum : BatchNorm's.
    prefix : prefix of the parameters, as "conv4_B03_extra_".

    Raises InputError naming the field that is of another type or out of range.
    """

    drop_path = None  # a `DropPath` in training

    def __init__(
        self,
        in_channels,
        mid_channels,
        ndim=2,
        subsample=1,
        zero_gamma=True,
        eps=BATCH_NORM_EPS,
        momentum=BATCH_NORM_MOMENTUM,
        prefix=None,
    ):
        super().__init__(prefix=prefix)
        unit = NonLocalUnit(
            self.name,
            in_channels,
            mid_channels,
            ndim,
            subsample,
            zero_gamma,
            eps=eps,
            momentum=momentum,
        )
        self._build(unit)

    def _build(self, unit):
        self._unit = unit
        self.branch = (2, unit.frames)
        with self.name_scope():
            self.theta = convolution(unit.theta)
            self.phi = convolution(unit.phi)
            self.value = convolution(unit.value)
            self.extension = convolution(unit.extension)
            self.norm = Norm(
                unit.extension.name,
                unit.in_channels,
                relu=False,
                zero_gamma=unit.zero_gamma,
                **norm_of(unit),
            )

    def hybrid_forward(self, F, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        unit = self._unit
        flat = flatten_locations(F, x, unit.axes)
        seen = pool_locations(F, flat, x, unit.pool, "max") if unit.subsample > 1 else flat
        y = attend(F, self.theta(flat), self.phi(seen), self.value(seen), unit.frames)
        y = self.norm(self.extension(y))
        if self.drop_path is not None:
            y = self.drop_path(y)
        return F.elemwise_add(x, restore_locations(F, y, x, unit.axes), name="sum")
