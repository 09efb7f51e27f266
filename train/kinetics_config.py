"""The configuration of a Kinetics run: what differs from classification's, see `train.config`."""

from dataclasses import dataclass, field
from typing import Tuple

from gluon_glore.clips import Clip

from .checks import above_0, check_pixels
from .clip_augment import ClipAugment
from .config import Checkpoint, Horovod, Model, Optim


@dataclass(frozen=True)
class VideoData:
    """Labelled videos, see `train.videos`; pixels; decoding threads a process.

    `train`, `val`: each a folder of class folders, a list of lines `path<TAB>class` or `path
    label`, or what `train.pack_video` wrote. `root`: where a list's relative paths begin, "" at the
    list.
    `class_names`: text file, one name a line in label order; "" takes those of the training set.
    `size`: height and width the network sees. `resize`: evaluation's short side before the centre
    crop, 0 takes frames as they are. Then (pixel - mean) * scale, one mean a channel (paper's
    recipe: DPN work). `max_bad`: the share of videos that may be unreadable; they are named and
    skipped.
    """

    train: str = "data/kinetics/train"
    val: str = "data/kinetics/val"
    root: str = ""
    class_names: str = ""
    size: Tuple[int, int] = (224, 224)
    resize: int = 256
    mean: Tuple[float, ...] = (124.0, 117.0, 104.0)
    scale: float = 0.0167
    threads: int = 2
    max_bad: float = 0.01

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or by others."""
        check_pixels(self)


@dataclass(frozen=True)
class VideoConfig:
    """Everything a run depends on. `log_every` is in steps; `tensorboard` as in `Config`.

    `model.pretrained`: weights to start from: a network with weights in the model zoo, a parameter
    file or a run, of the network without time (they are inflated) or of one of videos; the units
    may be new.
    """

    model: Model = field(
        default_factory=lambda: Model("resnet50_3d_glore_2_3_kinetics400", classes=400)
    )
    data: VideoData = field(default_factory=VideoData)
    clip: Clip = field(default_factory=Clip)
    augment: ClipAugment = field(default_factory=ClipAugment)
    optim: Optim = field(default_factory=Optim)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    horovod: Horovod = field(default_factory=Horovod)
    seed: int = 0
    log_every: int = 20
    tensorboard: bool = False

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or by others."""
        above_0({"log_every": self.log_every})
        self.augment.check_size(self.data.size)
