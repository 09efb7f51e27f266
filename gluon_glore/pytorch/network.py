"""A network from its spec: stem, the units of the plan, tail, head if there is one, classifier."""

import torch
from torch import nn

from ..plan.spec import NetSpec
from ..plan.time_axis import with_time_axis
from ..utils import kinds
from ..utils.errors import InputError
from .dual_path import DualPath
from .fcn_head import AuxiliaryHead, Head, upsample
from .glore import GloRe, warn_of_unset_statistics
from .layers import ConvNorm, Norm, dense, max_pool, pixel_classifier
from .non_local import NonLocal
from .residual import Residual

MODULES = {
    "residual": Residual,
    "dual_path": DualPath,
    "glore": lambda unit, _: GloRe.from_unit(unit),
    "nonlocal": lambda unit, _: NonLocal.from_unit(unit),
}


def make_unit(unit, ndim):
    """The module of a unit of the plan. Raises InputError on a kind that is not spelled here."""
    if unit.kind not in MODULES:
        raise InputError(
            f"{unit.name}: units of kind {unit.kind!r} are not spelled in PyTorch, only "
            f"{', '.join(MODULES)}"
        )
    return MODULES[unit.kind](unit, ndim)


class Trunk(nn.Module):
    """What a network and its `Backbone` have in common: the layers up to the tail.

    `spec` is the `NetSpec`; `stages` are the names of the modules of its stages, in order.
    """

    def __init__(self, spec):
        super().__init__()
        self.spec = spec
        self.preprocess = None
        self.stages = []
        # Modules are called as in the authors' release, in which families differ.
        self._stem, _, self._tail, self._classifier = (
            name.partition("__")[0] for name in spec.names
        )
        self._looked_at = False  # by `_check`

    def stage_outputs(self, x):
        """Yield what the last unit of each stage gives, in order: `(B, C', *space')`.

        Raises InputError on an input that the layers don't take.
        """
        self._check(x)
        if self.input is not None:
            x = self.input(x)
        x = self.pool(self._modules[self._stem](x))
        for name in self.stages:
            x = self._modules[name](x)
            yield x

    def tail_of(self, x):
        """BatchNorm and ReLU behind the last stage: `(B, C, *space)` in and out."""
        return self._modules[self._tail](x)

    def _check(self, x):
        """Raise InputError on an input that the layers don't take; warn of untrained units."""
        if torch.compiler.is_compiling():  # sizes may be unknown there
            return
        spec = self.spec
        if x.dim() != spec.ndim + 2 or x.shape[1] != spec.in_channels:
            raise InputError(
                f"{spec.name} takes (batch, {spec.in_channels}, {spec.ndim} spatial axes), given "
                f"{tuple(x.shape)}"
            )
        spec.check_input(tuple(x.shape[2:]))
        if not (self.training or self._looked_at):
            warn_of_unset_statistics(self)
            self._looked_at = True


class Network(Trunk):
    """A network in PyTorch: `(B, C, *space)` -> logits `(B, classes)`, as the Gluon one's.

    With a head that labels pixels: `(B, classes, H, W)`. `spec` is the `NetSpec`, `preprocess` how
    pictures become its input, None until weights or who made it said so. Names and shapes of the
    state dict are those of the authors' release (`names.py`).

    `classes` defaults to the spec's. With 0 there is no classifier, and the network gives its
    pooled features `(B, feature_channels)`. Raises InputError where it is below 0, or 0 with a
    head; on a unit that is not spelled here; and on an input of other channels, dimensions, frames
    or of too few pixels. Warns once where it is evaluated untrained, see
    `warn_of_unset_statistics`.
    """

    def __init__(self, spec: NetSpec, classes=None):
        super().__init__(spec)
        ndim, plan = spec.ndim, with_time_axis(spec)
        self.input = None
        if spec.stem.norm_input:
            self.input = Norm(spec.in_channels, ndim, spec, relu=False)
        self.add_module(self._stem, ConvNorm(plan.stem_conv, ndim, spec))
        self.pool = max_pool(plan.stem_pool, ndim) if plan.stem_pool else nn.Identity()
        self.stages = [f"conv{number}" for number, _ in enumerate(spec.stages, start=2)]
        for stage in self.stages:
            self.add_module(stage, nn.Sequential())
        for number, unit in plan.plan_by_stage():
            stage = f"conv{number}"
            self._modules[stage].add_module(unit.name[len(f"{stage}_") :], make_unit(unit, ndim))
        self.add_module(self._tail, Norm(spec.feature_channels, ndim, spec))
        self.head = Head(spec) if spec.head else None
        self.dropout = nn.Dropout(spec.dropout)
        self.auxiliary = AuxiliaryHead(spec) if spec.head and spec.head.auxiliary else None
        self.reset_classifier(classes)

    def reset_classifier(self, classes=None):
        """Put a new classifier of so many classes in; of the spec's by default, none with 0.

        An auxiliary head gets a new one, too. They are on the device and of the number type of the
        other layers. Raises InputError where `classes` is no whole number, below 0, or 0
        of pixels.
        """
        spec = self.spec
        classes = spec.classes if classes is None else classes
        kinds.whole().check(classes, "classes")
        if classes < 0 or classes == 0 and spec.head:
            pooled = "" if spec.head else ", or 0 for pooled features"
            raise InputError(f"classes must be at least 1{pooled}, given {classes}")
        self.classes = classes
        if spec.head:
            layer = pixel_classifier(spec.head.channels, classes)
        else:
            layer = dense(spec.feature_channels, classes) if classes else nn.Identity()
        like = self._modules[self._tail].bn.weight
        self.add_module(self._classifier, layer.to(like))
        if self.auxiliary is not None:
            layer = pixel_classifier(self.auxiliary.channels, classes)
            self.auxiliary.classifier = layer.to(like)

    def forward(self, x):
        """`(B, C, *space) -> (B, classes)`, or with a head `(B, classes, H, W)`."""
        for y in self.stage_outputs(x):
            last = y  # the others are needed no more
        return self._logits(last, x.shape[2:])

    def _logits(self, x, size):
        """The logits of what the last stage gives, of pixels for a picture of `size`."""
        x, classifier = self.tail_of(x), self._modules[self._classifier]
        if self.head is None:
            return classifier(self.dropout(x.flatten(2).mean(2)))
        y = classifier(self.dropout(self.head(x)))
        return upsample(y, size, self.spec.total_stride)

    def with_auxiliary(self, x):
        """Logits and those of the auxiliary head, `(B, classes, H, W)` each: for training.

        Raises InputError where the network has no such head.
        """
        if self.auxiliary is None:
            raise InputError(f"{self.spec.name} has no auxiliary head")
        stage, size = self.spec.head.auxiliary, x.shape[2:]
        outputs = list(self.stage_outputs(x))
        auxiliary = self.auxiliary(outputs[stage - 2])
        logits = self._logits(outputs[-1], size)
        return logits, upsample(auxiliary, size, self.spec.stride_at(stage))
