"""A run's configuration: defaults in frozen dataclasses, YAML and `--set` state the differences.

`Config` is that of classification; another task has a dataclass like it, of sections like these,
with defaults of its own. Each section, and the whole, may have `check()`, which raises InputError
where values make no sense. `Optim`, `Checkpoint`, `Horovod` and the keys behind them in `Config`
are every trainer's.
"""

from dataclasses import dataclass, field
from typing import Dict

from gluon_glore.utils.errors import InputError, shown

from .checks import above_0, below_1, check_start, not_below_0, one_of
from .distill import Distill
from .mix import Mix
from .optim import Optim
from .pictures import Augment, Data

# The keys that a resumed run may change without a word: they change nothing of what it computes.
# All others, those of a task's own sections too, are part of its recipe.
HARMLESS = (
    "data.threads",
    "checkpoint.keep",
    "checkpoint.every",
    "horovod.fusion_mb",
    "horovod.cycle_ms",
    "horovod.stall_seconds",
    "log_every",
    "evaluate_every",
    "tensorboard",
)


@dataclass(frozen=True)
class Model:
    """`name`: a registered network; `classes` 0 stands for as many as the training set names.

    `units` are added to it, as `NetSpec.with_units` takes them: `{kind: glore, res3: [1], res4: [1,
    3], arrangement: post}`; {} for the network as it is.

    `pretrained`: weights to start from, "" for random ones. "zoo" for those the model zoo has of
    this network, the name of another, a run, a checkpoint, a zoo entry, an export made with
    --plain, or what else `get_model` takes: a parameter file, an address, the first digits of a
    sha256. Units that they lack are new, and with `new_classifier` the classifier (for other
    classes); new layers start at random and are named at the start. `freeze_norm`: BatchNorm keeps
    its running statistics, but for new layers'.

    Of training alone: `drop_path` is the probability with which the last residual unit is left out
    for a sample, 0 for the first, those between on a line; `zero_init_residual` lets each residual
    unit start as the identity, of random weights only.
    """

    name: str = "resnet50_glore_2_3"
    units: Dict[str, object] = field(default_factory=dict)
    classes: int = 1000
    freeze_norm: bool = False
    pretrained: str = ""
    new_classifier: bool = False
    drop_path: float = 0.0
    zero_init_residual: bool = False

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        not_below_0({"model.classes": self.classes})
        below_1({"model.drop_path": self.drop_path})
        check_start(self)
        if self.zero_init_residual and self.pretrained:
            raise InputError(
                "config key model.zero_init_residual is for random weights, given "
                f"model.pretrained {shown(self.pretrained)}"
            )


@dataclass(frozen=True)
class Horovod:
    """How the processes exchange gradients.

    `compression`: none, or fp16 to send them as float16. `groups` above 0 reduces the gradients in
    that many groups, each as a whole; 0 stands for one without GPUs, and with GPUs each travels as
    it is ready. Gradients that are ready within `cycle_ms` milliseconds travel together, up to
    `fusion_mb` MiB; 0 milliseconds stand for 1 with GPUs and for 10 without.
    HOROVOD_CYCLE_TIME and HOROVOD_FUSION_THRESHOLD in the environment go before. A process that has
    waited `stall_seconds` for the others ends with an error, and `horovodrun` ends them; 0 waits
    for ever.
    """

    compression: str = "none"
    groups: int = 0
    fusion_mb: float = 128.0
    cycle_ms: float = 0.0
    stall_seconds: int = 600

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        one_of("horovod.compression", self.compression, ("none", "fp16"))
        names = ("groups", "fusion_mb", "cycle_ms", "stall_seconds")
        not_below_0({f"horovod.{name}": getattr(self, name) for name in names})


@dataclass(frozen=True)
class Checkpoint:
    """What a run keeps: the newest `keep` checkpoints, and the one of the best evaluation.

    `every`: steps between two of them within an epoch; 0 saves at the end of each epoch alone.
    """

    keep: int = 2
    every: int = 0

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        above_0({"checkpoint.keep": self.keep})
        if self.every < 0:
            raise InputError(
                f"config key checkpoint.every is in steps, 0 for none, given {self.every}"
            )


@dataclass(frozen=True)
class Config:
    """Everything a run of classification depends on. `log_every` is in steps.

    `evaluate_every`: epochs from one evaluation to the next; the last epoch always has one, with 0
    it alone. Checkpoints of the others have no score: the best one is of those that were evaluated.
    `tensorboard`: the rows of metrics.jsonl also as scalars for TensorBoard (needs tensorboardX).
    """

    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    mix: Mix = field(default_factory=Mix)
    distill: Distill = field(default_factory=Distill)
    optim: Optim = field(default_factory=Optim)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    horovod: Horovod = field(default_factory=Horovod)
    seed: int = 0
    log_every: int = 20
    evaluate_every: int = 1
    tensorboard: bool = False

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        above_0({"log_every": self.log_every})
        if self.augment.pad >= min(self.data.size):  # a crop could be nothing but padding
            raise InputError(
                f"config key augment.pad is below data.size's {min(self.data.size)}, given "
                f"{self.augment.pad}"
            )
        not_below_0({"evaluate_every": self.evaluate_every})
