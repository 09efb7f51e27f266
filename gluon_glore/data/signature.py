"""What goes in and out of a network that is not registered, as a user says it.

The command line has it as options, a small YAML file says all of it at once. Nothing here needs
MXNet or OpenCV.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Optional, Tuple, Union

from ..utils import kinds
from ..utils.errors import InputError
from ..utils.yaml_file import read_yaml
from .pixels import SETS, Pixels

_SIDE = kinds.whole(1, 2**20)
_NUMBERS = kinds.either(kinds.number(), kinds.listed(kinds.number(), 1, 1024))
_FIELDS = kinds.table(
    {
        "input": kinds.listed(_SIDE, 3, 4),
        "output": kinds.either(kinds.LINE, kinds.whole(0, 1000)),
        "stride": kinds.whole(1, 10**6),
        "rate": kinds.number(0, 10**6),
        "pixels": kinds.one_of(*SETS),
        "mean": _NUMBERS,
        "std": _NUMBERS,
        "scale": _NUMBERS,
        "resize": kinds.whole(0, 2**20),
        "class_names": kinds.either(kinds.LINE, kinds.listed(kinds.LINE, 1)),
    },
    optional=["output", "stride", "rate", "pixels", "mean", "std", "scale", "resize"]
    + ["class_names"],
)


@dataclass(frozen=True)
class Signature:
    """The input's `size`, which output has the logits, and how the frames of a video are chosen.

    `size` is (channels, height, width), of videos (channels, frames, height, width), without the
    batch; (height, width) where the pixels say how many channels there are. `output` is the number
    or name of the network's output where it has several, or the name of an operator inside of it.
    Of a video each frame is `stride` frames after the one before, at `rate` frames a second where
    that is above 0. Raises InputError where these do not go together.
    """

    size: Optional[Tuple[int, ...]] = None
    output: Optional[Union[int, str]] = None
    stride: Optional[int] = None
    rate: float = 0.0

    def __post_init__(self):
        if self.size is not None and len(self.size) not in (2, 3, 4):
            raise InputError(
                f"size {self.size}: channels, height and width, of videos channels, frames, height "
                "and width"
            )
        if self.takes_videos and self.stride is None:
            raise InputError(
                "--stride is missing: how many frames of a video two frames of the input are apart "
                "(in Python stride=)"
            )
        if not self.takes_videos and (self.stride or self.rate):
            raise InputError(
                "--stride and --rate are of videos, whose --input is channels x frames x height x "
                "width"
            )

    @property
    def takes_videos(self) -> bool:
        """Whether the input is clips of a video."""
        return self.size is not None and len(self.size) == 4


class Description(NamedTuple):
    """What a file says of a network: `class_names` are names, or the path of a file of them."""

    signature: Signature
    pixels: Pixels
    class_names: Union[None, Path, Tuple[str, ...]]


def read_description(path) -> Description:
    """The description in a YAML file, whose fields are called as the options of `export`.

    A file of class names is looked for beside it. Raises InputError, naming the file and the field,
    where it can't be read or does not say how pixels are prepared.
    """
    fields = read_yaml(path, aliases=False)
    try:
        _FIELDS.check(fields, "")
        numbers = {name: _tuple(fields.get(name)) for name in ("mean", "std", "scale")}
        return Description(
            Signature(
                tuple(fields["input"]),
                fields.get("output"),
                fields.get("stride"),
                fields.get("rate", 0.0),
            ),
            Pixels(fields.get("pixels"), **numbers, resize=fields.get("resize")),
            _names(fields.get("class_names"), Path(path).parent),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _tuple(value):
    """A number or a list of them as a tuple; None stays."""
    return tuple(value) if isinstance(value, list) else value if value is None else (value,)


def _names(value, folder):
    """The class names of a description, a file of them by its path."""
    return folder / value if isinstance(value, str) else value and tuple(value)
