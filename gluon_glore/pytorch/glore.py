"""The GloRe unit: project to nodes, reason on their graph, project back.

Chen et al., Graph-Based Global Reasoning Networks, CVPR 2019, section 3
(https://arxiv.org/abs/1811.12814).
"""

import warnings

import torch
import torch.nn.functional as F
from torch import nn

from ..plan.extra_units import GloReUnit, untrained
from .extra_unit import ExtraUnit
from .layers import AVERAGE_POOLS, norm, pointwise


class Rectified(nn.Module):
    """A unit's 1x1 convolutions, each behind BatchNorm and ReLU where it has a `<name>_bn`."""

    def _add(self, name, conv, ndim, unit):
        """Add the layers of a plan's `Conv`; "pre" units have a BatchNorm before it."""
        self.add_module(name, pointwise(conv, ndim))
        if unit.arrangement == "pre":
            self.add_module(f"{name}_bn", norm(conv.in_channels, ndim, unit))

    def _conv(self, name, x):
        """What the convolution `name` makes of x."""
        before = self._modules.get(f"{name}_bn")
        if before is not None:
            x = F.relu(before(x), inplace=True)
        return self._modules[name](x)


class GraphConvolution(Rectified):
    """One layer of reasoning on node features V: `(B, S, N) -> (B, S, N)`.

    U = V + V·Aᵀ, where adding V is the identity in the paper's (I - A); Z = W·U (section 3.3).
    """

    def __init__(self, adjacency, update, unit):
        super().__init__()
        self.post = unit.arrangement == "post"
        self._add("conv1", adjacency, 1, unit)
        self._add("conv2", update, 1, unit)

    def forward(self, v):
        """`(B, S, N) -> (B, S, N)`."""
        v = v.transpose(1, 2)
        u = (v + self._conv("conv1", v)).transpose(1, 2)
        return self._conv("conv2", F.relu(u, inplace=True) if self.post else u)


class GloRe(ExtraUnit, Rectified):
    """Global reasoning unit, out = x + extension(Y): `(B, C, *space) -> (B, C, *space)`.

    1. state (B, S, L) and mask (B, N, L): 1x1 convolutions of x, N = mid_channels, S = 2 N
    2. V = state · maskᵀ: (B, S, N), divided by L where `normalize`
    3. U = V + V·Aᵀ over the nodes (A learned), Z = W·U over the states; `graph_layers` times
    4. Y = Z · mask: (B, S, L); with `extend_first` out = x + extension(Z) · mask, the same numbers

    `in_channels` is C, `mid_channels` the number of nodes, `ndim` the dimensions of the input, 1, 2
    or 3. `arrangement` "post" has BatchNorm behind the last convolution, its gamma zero at first,
    so that the unit starts as the identity and can be put into a trained network; "pre" has
    BatchNorm and ReLU before every convolution. `options` are the others of
    `gluon_glore.GloReUnit`, as `normalize` and `graph_layers`. Raises InputError naming the field
    that is of another type or out of range. Warns as `warn_of_unset_statistics` does.
    """

    def __init__(self, in_channels, mid_channels, ndim=2, arrangement="post", **options):
        self._build(GloReUnit("GloRe", in_channels, mid_channels, ndim, arrangement, **options))

    def _build(self, unit):
        super().__init__(unit)
        self.unit = unit
        self._looked_at = False  # by `warn_of_unset_statistics`
        ndim = unit.ndim
        self._add("conv_state", unit.state, ndim, unit)
        self._add("conv_proj", unit.projection, ndim, unit)
        if unit.reverse:
            self._add("conv_reverse", unit.reverse, ndim, unit)
        self.layers = ["gcn", *(f"gcn_{n}" for n in range(2, unit.graph_layers + 1))]
        for name, (adjacency, update) in zip(self.layers, unit.graph):
            self.add_module(name, GraphConvolution(adjacency, update, unit))
        if unit.residual:
            self.extensions = ["conv_tail_res", "conv_tail_den"]
            for name, conv in zip(self.extensions, unit.extensions):
                self._add(name, conv, ndim, unit)
            return
        (extension,) = unit.extensions
        self.extensions = ["conv_extend"]
        self.conv_extend = pointwise(extension, ndim)
        # Behind the extension, or with "pre" before it.
        post = unit.arrangement == "post"
        self.blocker = norm(unit.in_channels if post else unit.states, ndim, unit)
        if post and unit.zero_gamma:
            nn.init.zeros_(self.blocker.weight)

    def forward(self, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        if not (self.training or self._looked_at or torch.compiler.is_compiling()):
            warn_of_unset_statistics(self)
        return super().forward(x)

    def _reason(self, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        unit = self.unit
        space = x.shape[2:]
        mask = self._conv("conv_proj", x)
        way_in, pooled = x, mask
        if unit.pool_stride > 1:
            way_in, pooled = (self._pool(array) for array in (x, mask))
        pooled = pooled.flatten(2)  # (B, N, L)
        v = torch.matmul(self._conv("conv_state", way_in).flatten(2), pooled.transpose(1, 2))
        if unit.normalize:
            v = v / pooled.shape[2]
        for name in self.layers:
            v = self._modules[name](v)
        if unit.reverse:
            mask = self._conv("conv_reverse", x)
        if unit.extend_first:
            v = torch.matmul(self.conv_extend.weight.flatten(1), v)  # (B, C, N)
        y = torch.matmul(v, mask.flatten(2)).unflatten(2, space)
        if unit.residual:
            return torch.cat([self._conv(name, y) for name in self.extensions], 1)
        if unit.arrangement == "pre":
            return self.conv_extend(F.relu(self.blocker(y), inplace=True))
        return self.blocker(y if unit.extend_first else self.conv_extend(y))

    def _pool(self, x):
        """The average over `pool_stride` locations a dimension; of those inside at the border."""
        pool, stride = AVERAGE_POOLS[self.unit.ndim], self.unit.pool_stride
        return pool(x, stride, ceil_mode=True, count_include_pad=False)


def warn_of_unset_statistics(module):
    """Warn, in a line, of GloRe units of a module that are evaluated before they were trained.

    That is for pre-activation units, whose BatchNorms then do nothing: the products of their
    activations may overflow. Each unit is looked at once; code that is compiled or exported does
    not look.
    """
    units = {name: m for name, m in module.named_modules() if isinstance(m, GloRe)}
    units = {name: unit for name, unit in units.items() if not unit._looked_at}
    unset = [name or "GloRe" for name, unit in units.items() if _is_unset(unit)]
    for unit in units.values():
        unit._looked_at = True
    if unset:
        warnings.warn(untrained(unset), stacklevel=2)


def _is_unset(unit):
    """Whether a pre-activation unit's running statistics are 0 and 1, as they are at first."""
    if unit.unit.arrangement != "pre":
        return False
    norm = unit.conv_state_bn
    return bool((norm.running_mean == 0).all() and (norm.running_var == 1).all())
