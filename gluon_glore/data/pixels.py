"""How pixels become numbers, as a user says it of weights that come without a manifest.

Nothing here needs OpenCV, so that the command line can name the sets.
"""

from dataclasses import dataclass
from typing import Optional, Tuple

from ..utils.errors import InputError

# Mean and scale of pixels 0 to 255, and whether the short side is 256 for a crop of 224. One number
# stands for all channels.
SETS = {
    "paper": ((124.0, 117.0, 104.0), (0.0167,), True),
    "torchvision": ((123.675, 116.28, 103.53), (1 / 58.395, 1 / 57.12, 1 / 57.375), True),
    "0-1": ((0.0,), (1 / 255,), False),
    "0-255": ((0.0,), (1.0,), False),
}
HOW = (
    "give --pixels paper (mean 124 117 104, scale 0.0167), --pixels torchvision (timm's and "
    "GluonCV's too: mean 123.675 116.28 103.53, std 58.395 57.12 57.375), --pixels 0-1 (ToTensor "
    "alone) with --resize, or --mean, --std or --scale, and --resize, of pixels 0 to 255; in "
    "Python preprocess=Preprocess(...)"
)


@dataclass(frozen=True)
class Pixels:
    """What the options say of pixels, before the network is known; `fitted` makes a `Preprocess`.

    Pixels are 0 to 255, as decoded: they become (pixel - mean) / std, or (pixel - mean) * scale,
    numbers of all channels or one for each. `name` is one of SETS instead. `resize` is the short
    side before the centre crop of `crop`, (height, width); 0 takes pictures as they are. Raises
    InputError where something is missing, said twice, or seems to be of pixels 0 to 1.
    """

    name: Optional[str] = None
    mean: Optional[Tuple[float, ...]] = None
    std: Optional[Tuple[float, ...]] = None
    scale: Optional[Tuple[float, ...]] = None
    resize: Optional[int] = None
    crop: Optional[Tuple[int, int]] = None

    def __post_init__(self):
        numbers = {"--mean": self.mean, "--std": self.std, "--scale": self.scale}
        given = [option for option, value in numbers.items() if value is not None]
        if self.name is not None:
            if self.name not in SETS:
                raise InputError(f"--pixels {self.name}: unknown, known: {', '.join(SETS)}")
            if given:
                raise InputError(
                    f"--pixels {self.name} says mean and scale: leave {', '.join(given)} out"
                )
            return
        if self.std is not None and self.scale is not None:
            raise InputError("--std and --scale say the same, scale is 1 / std: give one of them")
        missing = [] if self.mean else ["--mean"]
        missing += [] if self.std or self.scale else ["--std or --scale"]
        if missing:
            raise InputError(f"{' and '.join(missing)} missing beside {self._words()}: {HOW}")
        for option, values in (("--std", self.std), ("--scale", self.scale)):
            if values and not min(values) > 0:
                raise InputError(f"{option} {_text(values)}: must be above 0")
        self._refuse_other_units()

    def _refuse_other_units(self):
        """Raise InputError for numbers of pixels 0 to 1, by which an answer would be noise."""
        small = {
            "--mean": max(map(abs, self.mean)) <= 1 and any(self.mean),
            "--std": self.std and min(self.std) <= 1,
            "--scale": self.scale and max(self.scale) > 1,
        }
        for option, of_0_to_1 in small.items():
            if of_0_to_1:
                values = getattr(self, option[2:])
                times = "/ 255" if option == "--scale" else "* 255"
                right = [v / 255 if option == "--scale" else v * 255 for v in values]
                raise InputError(
                    f"{option} {_text(values)} seems to be of pixels 0 to 1; pixels here are 0 to "
                    f"255: give it {times}, {_text(right)} (--pixels 0-255 changes no pixel)"
                )

    @property
    def channels(self) -> Optional[int]:
        """The channels that the means are of; None where one number stands for all."""
        mean = SETS[self.name][0] if self.name else self.mean
        return len(mean) if len(mean) > 1 else None

    def fitted(self, channels, size, whole=False):
        """The `Preprocess` of a network of so many `channels` that takes `size`, (height, width).

        A network that labels the pixels of a `whole` picture neither resizes nor crops it. Raises
        InputError where the numbers don't fit, or `resize` is missing.
        """
        from .image import Preprocess

        mean, scale, in_proportion = SETS.get(self.name) or (self.mean, self._scale(), False)
        for kind, values in (("mean", mean), ("scale" if self.scale else "std", scale)):
            if len(values) not in (1, channels):
                option = f"--pixels {self.name}" if self.name else f"--{kind}"
                raise InputError(
                    f"{option}: numbers of {len(values)} channels, the network takes {channels}: "
                    "give --mean, and --std or --scale, one number or one a channel"
                )
        mean = mean * (channels // len(mean))
        scale = scale[0] if len(scale) == 1 else scale
        if whole:
            if self.resize or self.crop:
                raise InputError("the network labels whole pictures: leave --resize and --crop out")
            return Preprocess(tuple(size), 0, mean, scale)
        size = tuple(self.crop or size)
        resize = self.resize
        if resize is None and in_proportion:
            resize = Preprocess.for_size(size).resize
        if resize is None:
            raise InputError(
                f"--resize is missing beside {self._words()}: pixels of the short side before the "
                f"centre crop of {'x'.join(map(str, size))}, 0 for pictures as they are"
            )
        if 0 < resize < min(size):
            raise InputError(f"--resize {resize}: 0, or at least the crop's {min(size)} pixels")
        return Preprocess(size, resize, mean, scale)

    def _scale(self):
        return self.scale or tuple(1 / std for std in self.std)

    def _words(self):
        """The options that were given, as they were typed."""
        values = {"pixels": self.name and (self.name,)}
        values.update({name: getattr(self, name) for name in ("mean", "std", "scale")})
        values["resize"] = None if self.resize is None else (self.resize,)
        values["crop"] = self.crop and ("x".join(map(str, self.crop)),)
        return " ".join(f"--{name} {_text(v)}" for name, v in values.items() if v is not None)


def _text(values):
    """Values as an option takes them: "124 117 104"."""
    return " ".join(v if isinstance(v, str) else f"{v:g}" for v in values)
