"""The configuration of a Kinetics run: what differs from `train.config.sections`."""

from dataclasses import dataclass, field
from typing import Tuple, Union

from gluon_glore.data.clips import Clip
from gluon_glore.utils.errors import InputError

from .checks import above_0, check_pixels, not_below_0, rising
from .distill import Distill
from .mix import Mix
from .optim import Optim
from .sections import Checkpoint, Horovod, Model


@dataclass(frozen=True)
class VideoData:
    """Labelled videos, see `gluon_glore.data.videos`; pixels; decoding threads a process.

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
    scale: Union[float, Tuple[float, ...]] = 0.0167
    threads: int = 2
    max_bad: float = 0.01

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        check_pixels(self)


@dataclass(frozen=True)
class ClipAugment:
    """Training clips: random scale, aspect and crop, mirror, colour, noise.

    `scale`: pixels of the short side before the crop, drawn between the two numbers. `aspect`: the
    width is multiplied and the height divided by a number between the two, the mean of two draws,
    and the other way round in half of the clips. `mirror`: left and right change places in half of
    the clips. `hls`: largest shift of hue (degrees), lightness and saturation (of 255) of a clip.
    `noise`: each colour of each pixel changes by a random number of its own (of 255); the bounds of
    these numbers are drawn for each clip, the lower from minus `noise` to 0, the upper from 0 to
    `noise`.

    Defaults are the released trainer's (data/iterator_factory.py; hue 15 of OpenCV's half degrees).
    PyTorch-MFNet scales to 224 to 288 pixels, makes pictures square and adds no noise.
    """

    scale: Tuple[float, float] = (224.0, 340.0)
    aspect: Tuple[float, float] = (0.8, 1.25)
    mirror: bool = True
    hls: Tuple[int, int, int] = (30, 35, 25)
    noise: float = 20.0

    def check(self):
        """Raise InputError, naming the key, where a value is out of range."""
        rising({"augment.scale": self.scale, "augment.aspect": self.aspect})
        not_below_0({"augment.noise": self.noise, "augment.hls": min(self.hls)})

    def check_size(self, size):
        """Raise InputError where frames scaled to the smallest `scale` don't hold a `size` crop."""
        if self.scale[0] < min(size):
            raise InputError(
                f"config key augment.scale begins at data.size or above, {min(size)}, "
                f"given {self.scale[0]:g}"
            )


@dataclass(frozen=True)
class VideoConfig:
    """Everything a run depends on. `log_every` is in steps.

    `evaluate_every` and `tensorboard` as in `Config`.

    `model.pretrained`: weights of the network without time (they are inflated) or of one of videos.
    """

    model: Model = field(
        default_factory=lambda: Model("resnet50_3d_glore_2_3_kinetics400", classes=400)
    )
    data: VideoData = field(default_factory=VideoData)
    clip: Clip = field(default_factory=Clip)
    augment: ClipAugment = field(default_factory=ClipAugment)
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
        not_below_0({"evaluate_every": self.evaluate_every})
        self.augment.check_size(self.data.size)
