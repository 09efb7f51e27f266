"""The dual-path unit (Chen et al., Dual Path Networks, 2017, https://arxiv.org/abs/1707.01629)."""

import torch
from torch import nn

from .layers import PreActConv, module_name


class DualPath(nn.Module):
    """Both paths in one tensor, residual first: `(B, R + D, *space) -> (B, R + D + G, *space')`."""

    def __init__(self, unit, ndim):
        super().__init__()
        self.residual = unit.residual
        self.body = [module_name(conv) for conv in unit.convs]
        for name, conv in zip(self.body, unit.convs):
            self.add_module(name, PreActConv(conv, ndim, unit))
        self.projection = None
        if unit.projection:
            self.projection = module_name(unit.projection)
            self.add_module(self.projection, PreActConv(unit.projection, ndim, unit))

    def forward(self, x):
        """`(B, R + D, *space) -> (B, R + D + G, *space')`."""
        paths = self._modules[self.projection](x) if self.projection else x
        y = x
        for name in self.body:
            y = self._modules[name](y)
        residual = self.residual
        parts = paths[:, :residual] + y[:, :residual], paths[:, residual:], y[:, residual:]
        return torch.cat(parts, 1)
