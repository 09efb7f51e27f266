"""A run's configuration: defaults in frozen dataclasses, YAML and `--set` state the differences.

`Config` is that of classification; another task has a dataclass like it, of sections like these,
with defaults of its own. Each section, and the whole, may have `check()`, which raises InputError
where values make no sense. `Optim`, `Checkpoint`, `Horovod` and the keys behind them in `Config`
are every trainer's.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Dict, Tuple, Union

from gluon_glore.utils.errors import InputError, shown

from .checks import (
    above_0,
    below_1,
    check_pixels,
    check_start,
    not_below_0,
    one_of,
    rising,
)

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
    """

    name: str = "resnet50_glore_2_3"
    units: Dict[str, object] = field(default_factory=dict)
    classes: int = 1000
    freeze_norm: bool = False
    pretrained: str = ""
    new_classifier: bool = False

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        not_below_0({"model.classes": self.classes})
        check_start(self)


@dataclass(frozen=True)
class Data:
    """Labelled pictures, see `gluon_glore.data.labelled_pictures`; pixels; threads a process.

    `train`, `val`: each a folder of class folders, a list of files, or indexed RecordIO, of which a
    list of several may be given. `root`: where a list's relative paths begin, "" at the list. With
    `val` "" the share `val_share` of each class of `train`, a folder or list, is set aside for it,
    drawn by `seed`.
    `max_bad`: the share of a set's pictures that may be unreadable; they are named and skipped.
    `class_names`: text file, one name a line in label order; "" takes those of a folder or list, of
    records the one that `train.pack` wrote beside `train` (train.classes.txt), and without it
    numbers.
    `size`: height and width the network sees. `resize`: evaluation's short side before the centre
    crop, 0 takes pictures as they are. Then (pixel - mean) * scale, a number or one a channel
    (paper's recipe: DPN work).
    """

    train: Union[str, Tuple[str, ...]] = "data/imagenet/train.rec"
    val: Union[str, Tuple[str, ...]] = "data/imagenet/val.rec"
    class_names: str = ""
    root: str = ""
    val_share: float = 0.0
    size: Tuple[int, int] = (224, 224)
    resize: int = 256
    mean: Tuple[float, ...] = (124.0, 117.0, 104.0)
    scale: Union[float, Tuple[float, ...]] = 0.0167
    threads: int = 2
    max_bad: float = 0.01

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        check_pixels(self)
        below_1({"data.val_share": self.val_share})
        if not self.train:
            raise InputError("config key data.train names a folder, a list or .rec files")
        if bool(self.val) == bool(self.val_share):
            raise InputError(
                'config key data.val_share is above 0 where data.val is "", and 0 where it names '
                f"a validation set: given {self.val_share:g} and {shown(self.val)}"
            )


@dataclass(frozen=True)
class Augment:
    """Training pictures: random crop, mirror, colour (recipe of the DPN work, paper section 4.1).

    `area`, the crop's share of the picture, and `aspect`, its width / height, are drawn between the
    two numbers; area (1, 1) takes the whole picture. `mirror`: left and right change places in half
    of the pictures. `hls`: largest shift of hue (degrees), lightness and saturation (of 255).
    `reduced`: a JPEG is decoded at a half, a quarter or an eighth of its size where the crop is
    that much larger than `data.size`; other pixels, for a fraction of the time of large pictures.
    """

    area: Tuple[float, float] = (0.08, 1.0)
    aspect: Tuple[float, float] = (0.75, 1.3333)
    mirror: bool = True
    hls: Tuple[int, int, int] = (20, 40, 50)
    reduced: bool = False

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        rising({"augment.area": self.area, "augment.aspect": self.aspect})
        if self.area[1] > 1:
            raise InputError(f"config key augment.area is a share of 1, given {self.area[1]}")


@dataclass(frozen=True)
class Optim:
    """SGD with momentum. `batch_size`: pictures a step over all processes together.

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

    Update: `nesterov` looks ahead. `weight_decay` spares biases and BatchNorm's gamma and beta
    unless `decay_all`; `wd_mult` gives factors by name, as `lr_mult`. `label_smoothing` is the
    share of the target spread over all classes. `precise_norm` above 0: at an epoch's end
    BatchNorm's statistics are measured anew, over so many steps' batches.

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
    momentum: float = 0.9
    nesterov: bool = False
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
    label_smoothing: float = 0.0
    accumulate: int = 1
    recompute: int = 0
    precision: str = "float32"
    loss_scale: float = 0.0

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        one_of("optim.schedule", self.schedule, ("step", "cosine", "poly"))
        one_of("optim.precision", self.precision, ("float32", "bfloat16", "float16"))
        above_0(self._values("epochs", "batch_size", "lr", "power", "accumulate", "new_mult"))
        not_below_0(self._values("lr_batch", "weight_decay", "warmup", "recompute", "loss_scale"))
        not_below_0(self._values("warmup_steps", "epoch_samples", "precise_norm", "iterations"))
        below_1(self._values("momentum", "label_smoothing", "warmup_start"))
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

    `tensorboard`: the rows of metrics.jsonl also as scalars for TensorBoard (needs tensorboardX).
    """

    model: Model = field(default_factory=Model)
    data: Data = field(default_factory=Data)
    augment: Augment = field(default_factory=Augment)
    optim: Optim = field(default_factory=Optim)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    horovod: Horovod = field(default_factory=Horovod)
    seed: int = 0
    log_every: int = 20
    tensorboard: bool = False

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        above_0({"log_every": self.log_every})
