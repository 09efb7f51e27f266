"""How a run's weights are updated: the `optim` section of every trainer's configuration."""

import math
import re
from dataclasses import dataclass, field
from typing import Dict, Tuple

from gluon_glore.utils.errors import InputError

from .checks import above_0, below_1, not_below_0, one_of

SGD = ("momentum", "nesterov")  # the keys of sgd alone


@dataclass(frozen=True)
class Optim:
    """SGD with momentum, AdamW or LAMB. `batch_size`: pictures a step over all processes together.

    Length: a run has `epochs` epochs, or with `iterations` above 0 so many steps in their place;
    its last epoch ends there then, evaluated and saved as any.

    Rate: `lr` is that of a step of `lr_batch` pictures and grows linearly with `batch_size` (Goyal
    et al. 2017); with `lr_batch` 0 it is taken as it stands. `schedule` "step" multiplies it by
    `factor` at each of the epochs `steps`, or with `iterations` at each of the steps `steps`;
    "cosine" falls to zero over the run, "poly" too, as (1 - epoch / epochs) to the `power`. The
    first `warmup` epochs rise linearly, or the first
    `warmup_steps` steps: from the share `warmup_start` of the rate, with 0 from one step's share.
    With `epoch_samples` above 0 the epochs of `steps` and `warmup` are of so many samples each,
    however many the training set has. `lr_mult` maps regular expressions to factors: a parameter's
    rate is multiplied by those of all that are found in its name, 0 leaves it as it is. `new_mult`
    is a factor of the layers that `model.pretrained` lacks, whatever their names.

    Update: `optimizer` is sgd, adamw or lamb. `momentum` and `nesterov`, which looks ahead, are
    sgd's; `beta1`, `beta2` and `epsilon` are those of the others, whose decay is decoupled, the
    rate times `weight_decay` of each weight; `epsilon` 0 stands for 1e-8 with adamw, for 1e-6 with
    lamb. `clip` above 0 is the largest norm of all trained parameters' gradients together, of the
    whole step: larger ones are scaled down to it. `weight_decay` spares biases and BatchNorm's
    gamma and beta unless `decay_all`; `wd_mult` gives factors by name, as `lr_mult`. `loss` is
    cross_entropy, or bce for the mean of the classes' binary cross entropies (see
    `train.engine.losses`); `label_smoothing` is the share of the target spread over all classes.
    `precise_norm` above 0: at an epoch's end BatchNorm's statistics are measured anew, over so many
    steps' batches. With `ema` above 0 an exponential moving average of the weights of this decay is
    evaluated and saved in their place, see `train.engine.weight_average`.

    Resources: a process computes its share of a step in `accumulate` equal parts, one after the
    other, and adds up the gradients; BatchNorm sees one part at a time. `recompute` above 0 keeps
    only the inputs of every so many units and computes all other activations again in backward.
    `precision` is float32, bfloat16 (processors that have it) or float16 (GPUs); weights, momentum
    and sums stay float32. `loss_scale` is the first scale of the gradients, a power of two: halved
    and the step skipped where they overflow, doubled after 2000 steps that did not; 0 stands for
    65536 with float16, for 1 with compressed gradients, else for no scaling.
    """

    epochs: int = 100
    iterations: int = 0
    batch_size: int = 256
    lr: float = 0.1
    lr_batch: int = 0
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 0.0
    clip: float = 0.0
    weight_decay: float = 0.0002
    decay_all: bool = True
    schedule: str = "step"
    steps: Tuple[int, ...] = (30, 60, 90)
    factor: float = 0.1
    power: float = 0.9
    warmup: float = 0.0
    warmup_steps: int = 0
    warmup_start: float = 0.0
    epoch_samples: int = 0
    lr_mult: Dict[str, float] = field(default_factory=dict)
    wd_mult: Dict[str, float] = field(default_factory=dict)
    new_mult: float = 1.0
    precise_norm: int = 0
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0
    ema: float = 0.0
    accumulate: int = 1
    recompute: int = 0
    precision: str = "float32"
    loss_scale: float = 0.0

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        one_of("optim.schedule", self.schedule, ("step", "cosine", "poly"))
        one_of("optim.optimizer", self.optimizer, ("sgd", "adamw", "lamb"))
        one_of("optim.loss", self.loss, ("cross_entropy", "bce"))
        one_of("optim.precision", self.precision, ("float32", "bfloat16", "float16"))
        above_0(self._values("epochs", "batch_size", "lr", "power", "accumulate", "new_mult"))
        not_below_0(self._values("lr_batch", "weight_decay", "warmup", "recompute", "loss_scale"))
        not_below_0(self._values("warmup_steps", "epoch_samples", "precise_norm", "iterations"))
        not_below_0(self._values("epsilon", "clip"))
        below_1(self._values("momentum", "label_smoothing", "warmup_start", "ema"))
        below_1(self._values("beta1", "beta2"))
        others = ("beta1", "beta2", "epsilon") if self.optimizer == "sgd" else SGD
        for key, value in self._values(*others).items():
            if value != getattr(type(self), key[len("optim.") :]):
                raise InputError(f"config key {key} is none of {self.optimizer}'s, given {value}")
        if self.warmup and self.warmup_steps:
            raise InputError(
                f"config key optim.warmup_steps {self.warmup_steps} and optim.warmup {self.warmup} "
                "are one warm-up in steps and in epochs: give one of them, the other is 0"
            )
        if self.warmup_start and not (self.warmup or self.warmup_steps):
            raise InputError(
                f"config key optim.warmup_start {self.warmup_start} needs optim.warmup_steps or "
                "optim.warmup above 0, given 0"
            )
        if self.nesterov and not self.momentum:
            raise InputError("config key optim.nesterov needs optim.momentum above 0, given 0")
        if self.batch_size % self.accumulate:
            raise InputError(
                f"config key optim.accumulate must divide optim.batch_size {self.batch_size}, "
                f"given {self.accumulate}"
            )
        if self.loss_scale and not math.log2(self.loss_scale).is_integer():
            raise InputError(
                f"config key optim.loss_scale must be 0 or a power of two, given {self.loss_scale}"
            )
        if self.epoch_samples and self.schedule != "step":
            raise InputError(
                f"config key optim.epoch_samples is for the schedule step, given {self.schedule}: "
                "it falls to zero with the last of optim.epochs"
            )
        if self.iterations:
            self._check_iterations()
        for key in ("lr_mult", "wd_mult"):
            for pattern, multiplier in getattr(self, key).items():
                not_below_0({f"optim.{key}.{pattern}": multiplier})
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise InputError(
                        f"config key optim.{key}: {pattern!r} is no regular expression: {error}"
                    ) from None

    def run_steps(self, steps_per_epoch):
        """The steps of a whole run whose epochs have `steps_per_epoch`."""
        return self.iterations or self.epochs * steps_per_epoch

    @property
    def copies(self):
        """How many arrays of a parameter's size a checkpoint has: itself, the optimizer's, EMA."""
        return (2 if self.optimizer == "sgd" else 3) + (self.ema > 0)

    def _check_iterations(self):
        """Raise InputError where a run of so many steps has a schedule in epochs."""
        if self.epoch_samples:
            raise InputError(
                f"config key optim.epoch_samples {self.epoch_samples} makes epochs of optim.steps, "
                f"which are steps with optim.iterations {self.iterations}: give one of the two, "
                "the other is 0"
            )
        if self.schedule == "step" and self.steps == type(self).steps:
            raise InputError(
                f"config key optim.steps: with optim.iterations {self.iterations} they are steps, "
                f"and the default {list(self.steps)} is of epochs: give them, [] for a rate that "
                "stays, or optim.schedule poly or cosine"
            )

    def _values(self, *names):
        """{config key: value} of some fields."""
        return {f"optim.{name}": getattr(self, name) for name in names}
