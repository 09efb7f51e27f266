"""Labelled pictures and their random views: the `data` and `augment` sections of classification."""

from dataclasses import dataclass
from typing import Tuple, Union

from gluon_glore.utils.errors import InputError, shown

from .checks import below_1, check_pixels, not_below_0, one_of, rising


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


# Keys of `Augment` that say how another is done.
NEEDED = {
    "pad_mode": "pad",
    "magnitude": "rand_augment",
    "magnitude_std": "rand_augment",
    "erase_area": "erase",
}


@dataclass(frozen=True)
class Augment:
    """Training pictures: random crop, mirror, colour (recipe of the DPN work, paper section 4.1).

    `area`, the crop's share of the picture, and `aspect`, its width / height, are drawn between the
    two numbers; area (1, 1) takes the whole picture. `mirror`: left and right change places in half
    of the pictures. `hls`: largest shift of hue (degrees), lightness and saturation (of 255).
    `reduced`: a JPEG is decoded at a half, a quarter or an eighth of its size where the crop is
    that much larger than `data.size`; other pixels, for a fraction of the time of large pictures.
    `pad`: with area (1, 1), so many pixels are put around the picture, and a part of `data.size` is
    cut anywhere, as in CIFAR's recipes; `pad_mode` "reflect" mirrors the picture at its
    outermost pixels, "zero" is black.
    `rand_augment`: so many operations a picture, drawn from the 14 of `train.data.rand_augment`, of
    `magnitude`, 0 to 10, with the deviation `magnitude_std`. `erase`: the share of the pictures of
    which a part becomes noise, `erase_area` of the view. Both come last.
    """

    area: Tuple[float, float] = (0.08, 1.0)
    aspect: Tuple[float, float] = (0.75, 1.3333)
    mirror: bool = True
    hls: Tuple[int, int, int] = (20, 40, 50)
    reduced: bool = False
    pad: int = 0
    pad_mode: str = "reflect"
    rand_augment: int = 0
    magnitude: float = 9.0
    magnitude_std: float = 0.5
    erase: float = 0.0
    erase_area: Tuple[float, float] = (0.02, 0.33)

    def check(self):
        """Raise InputError, naming the key, where a value makes no sense, alone or with others."""
        names = ("area", "aspect", "erase_area")
        rising({f"augment.{name}": getattr(self, name) for name in names})
        for key in ("area", "erase_area"):
            if getattr(self, key)[1] > 1:
                raise InputError(
                    f"config key augment.{key} is a share of 1, given {getattr(self, key)[1]}"
                )
        names = ("pad", "rand_augment", "magnitude", "magnitude_std", "erase")
        not_below_0({f"augment.{name}": getattr(self, name) for name in names})
        for key, most in (("rand_augment", 14), ("magnitude", 10), ("erase", 1)):
            if getattr(self, key) > most:
                raise InputError(
                    f"config key augment.{key} is at most {most}, given {getattr(self, key):g}"
                )
        one_of("augment.pad_mode", self.pad_mode, ("reflect", "zero"))
        if self.pad and (self.area != (1.0, 1.0) or self.reduced):
            raise InputError(
                "config key augment.pad needs augment.area [1, 1] and augment.reduced false, given "
                f"{list(self.area)} and {str(self.reduced).lower()}"
            )
        for key, needed in NEEDED.items():
            if getattr(self, key) != getattr(Augment, key) and not getattr(self, needed):
                raise InputError(f"config key augment.{key} needs augment.{needed}, given none")
