"""The non-local block (Wang et al., CVPR 2018, https://arxiv.org/abs/1711.07971), the baseline."""

from mxnet.gluon import HybridBlock

from .functional import attend, flatten_locations, restore_locations
from .layers import Norm, convolution
from .units import NonLocalUnit


class NonLocal(HybridBlock):
    """Embedded-Gaussian non-local block: `(B, C, *space) -> (B, C, *space)`.

    out = x + BatchNorm(W_z · attention(theta, phi, g)); starts as the identity. `mid_channels` is
    the inner width, half of `in_channels` in the paper. Raises InputError on values below 1.
    """

    def __init__(self, in_channels, mid_channels, ndim=2, prefix=None):
        super().__init__(prefix=prefix)
        unit = NonLocalUnit(self.name, in_channels, mid_channels, ndim)
        self._axes = ndim
        with self.name_scope():
            self.theta = convolution(unit.theta)
            self.phi = convolution(unit.phi)
            self.value = convolution(unit.value)
            self.extension = convolution(unit.extension)
            name = unit.extension.name
            self.norm = Norm(name, in_channels, relu=False, zero_gamma=True)

    def hybrid_forward(self, F, x):
        flat = flatten_locations(F, x, self._axes)
        y = attend(F, self.theta(flat), self.phi(flat), self.value(flat))
        y = self.norm(self.extension(y))
        return x + restore_locations(F, y, x, self._axes)
