"""A network that teaches another: the `distill` section of classification."""

import re
from dataclasses import dataclass

from gluon_glore.utils.errors import InputError, shown

from .checks import above_0

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Distill:
    """The network learns from a teacher's outputs too (Hinton et al. 2015, https://arxiv.org/abs/1503.02531).

    `teacher`: a network of this project with weights, as `model.pretrained` takes them: a run (its
    newest checkpoint), a checkpoint, a zoo entry, an export made with --plain, the name of a
    network with weights; "" for none. It sees the very pixels that the network sees, so that its
    channels, size, mean, scale, clips and classes must be the run's. `weight`: the share of the
    loss that is cross entropy to the teacher's softmax, above 0 to 1; the rest is that of the
    labels. `temperature`: divides the logits of both before that softmax, and the loss is
    multiplied by its square. `sha256`: of the teacher's file of weights; a run writes it into its
    config.yaml, so that it does not go on with another teacher.

    """

    teacher: str = ""
    weight: float = 0.0
    temperature: float = 1.0
    sha256: str = ""

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        above_0({"distill.temperature": self.temperature})
        if not self.teacher and self != Distill():
            keys = [f"distill.{key}" for key, v in vars(self).items() if v != getattr(Distill, key)]
            raise InputError(f"config key {keys[0]} needs distill.teacher, given none")
        if self.teacher and not 0 < self.weight <= 1:
            raise InputError(
                "config key distill.weight is a share of the loss, above 0 to 1, given "
                f"{self.weight}"
            )
        if self.sha256 and not _DIGEST.fullmatch(self.sha256):
            raise InputError(
                f"config key distill.sha256 is 64 hexadecimal digits, given {shown(self.sha256)}"
            )
