"""What the units have in common that this project adds to networks: out = x + f(x)."""

import torch
from torch import nn


class ExtraUnit(nn.Module):
    """x plus what `_reason(x)` makes of it: `(B, C, *space) -> (B, C, *space)`.

    Channels behind the unit's own, `passing` of them, go by it unchanged: the dense path of a
    dual-path network.
    """

    def __init__(self, unit):
        super().__init__()
        self.passing = unit.passing

    @classmethod
    def from_unit(cls, unit):
        """The unit of a row of a plan."""
        module = cls.__new__(cls)
        module._build(unit)
        return module

    def _build(self, unit):
        """Make the layers of a row of a plan."""
        raise NotImplementedError

    def forward(self, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        if self.passing:
            own, others = x[:, : -self.passing], x[:, -self.passing :]
            return torch.cat((own + self._reason(own), others), 1)
        y = self._reason(x)
        y += x
        return y

    def _reason(self, x):
        """What is added to x, an array of its own."""
        raise NotImplementedError
