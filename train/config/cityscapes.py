"""The configuration of a run of segmentation: what differs from `train.config.sections`."""

from dataclasses import dataclass, field
from typing import Dict, Tuple, Union

from gluon_glore.utils.errors import InputError

from .checks import (
    above_0,
    check_folders,
    check_pixel_loss,
    check_pixels,
    check_start,
    not_below_0,
    rising,
)
from .optim import Optim
from .sections import Checkpoint, Horovod


@dataclass(frozen=True)
class SceneModel:
    """`name`: a registered network that labels pixels.

    `units`, `pretrained`, `new_classifier`: as in `Model`. Of a classification network's weights
    the backbone is taken, and head and classifier are new; of those of a network that labels
    pixels all. `sync_norm`: BatchNorm over the pictures of all processes in training; one alone
    holds too few. `freeze_norm`: BatchNorm keeps its running statistics instead, but for new
    layers'.
    """

    name: str = "fcn_resnet50_glore_1_cityscapes"
    units: Dict[str, object] = field(default_factory=dict)
    pretrained: str = ""
    new_classifier: bool = False
    sync_norm: bool = True
    freeze_norm: bool = False

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense with the others."""
        check_start(self)


@dataclass(frozen=True)
class SceneData:
    """`root`: the set's folder; pixels; decoding threads a process.

    Without `classes` the set is in Cityscapes' folders, see `gluon_glore.data.scenes`, and `train`
    and `val` are names of its splits. Any other set states four keys. `pictures` and `labels`:
    folders below `root`, JPEGImages or images/{split}, or patterns whose * make a scene's name, as
    FOLDER/*_L.png; a picture's label is the PNG of its name. `train` and `val`: what stands for
    {split}; without it files below `root` that list the scenes, a name a line. `classes`: a text
    file, a class a line, see `gluon_glore.data.scene_classes`. `ignore`: ids of the labels' pixels
    that are neither learned nor evaluated, 0xRRGGBB where labels have colours.

    `size`: height and width of training's crops; evaluation sees whole pictures. Then
    (pixel - mean) * scale (paper's recipe: DPN work). `max_bad`: the share of a split's scenes that
    may be unreadable; they are named and skipped.
    """

    root: str = "data/cityscapes"
    pictures: str = ""
    labels: str = ""
    train: str = "train"
    val: str = "val"
    classes: str = ""
    ignore: Tuple[int, ...] = ()
    size: Tuple[int, int] = (768, 768)
    mean: Tuple[float, float, float] = (124.0, 117.0, 104.0)
    scale: Union[float, Tuple[float, ...]] = 0.0167
    threads: int = 2
    max_bad: float = 0.01

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        check_pixels(self)
        check_folders(self)


@dataclass(frozen=True)
class Loss:
    """Cross entropy of the pixels, see `train.engine.pixel_loss`.

    With `hard_below` above 0 pixels whose class has at least this probability do not count, but at
    least the share `keep` of a picture's does. `auxiliary` above 0 is the weight of the loss of a
    second head, on the last stage but one.
    """

    hard_below: float = 0.0
    keep: float = 0.0
    auxiliary: float = 0.0

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        not_below_0({f"loss.{name}": value for name, value in vars(self).items()})
        check_pixel_loss(**vars(self))


@dataclass(frozen=True)
class SceneAugment:
    """Training scenes: random scale and crop, mirror, colour.

    `scale`: drawn uniformly between the two numbers, as in the recipes that this follows; drawn
    uniformly in the logarithm, more scenes would be smaller than the crop. `mirror`: left and right
    change places in half of the scenes. `jitter`: brightness, contrast and saturation are each
    multiplied by 1 plus or minus up to this share; (0, 0, 0) leaves the colours alone.
    """

    scale: Tuple[float, float] = (0.5, 2.0)
    mirror: bool = True
    jitter: Tuple[float, float, float] = (0.0, 0.0, 0.0)

    def check(self):
        """Raise InputError, naming the key, where a value is out of range."""
        rising({"augment.scale": self.scale})
        if not all(0 <= share <= 1 for share in self.jitter):
            raise InputError(
                f"config key augment.jitter is three shares from 0 to 1, given {self.jitter}"
            )


@dataclass(frozen=True)
class SceneConfig:
    """Everything a run depends on. `log_every` is in steps.

    `evaluate_every` and `tensorboard` as in `Config`.

    Horovod's cycle is short: `model.sync_norm` sums layer by layer, and each sum waits for one.
    """

    model: SceneModel = field(default_factory=SceneModel)
    data: SceneData = field(default_factory=SceneData)
    augment: SceneAugment = field(default_factory=SceneAugment)
    loss: Loss = field(default_factory=Loss)
    optim: Optim = field(default_factory=Optim)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    horovod: Horovod = field(default_factory=lambda: Horovod(cycle_ms=1.0))
    seed: int = 0
    log_every: int = 20
    evaluate_every: int = 1
    tensorboard: bool = False

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        above_0({"log_every": self.log_every})
        not_below_0({"evaluate_every": self.evaluate_every})
