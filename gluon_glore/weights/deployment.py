"""The part of an exported folder's manifest that others' have not: input, precision, checks."""

import dataclasses
from dataclasses import dataclass, field
from typing import Dict, Optional, Tuple

from ..utils import kinds
from ..utils.errors import InputError

PRECISIONS = ("fp32", "bf16", "int8")
OUTPUTS = ("logits", "probabilities")  # what the output of a graph is, and is called
FLOAT32_ERROR = 1e-4  # allowed difference from the Gluon network, of its largest logit

_INPUT = {
    "name": kinds.one_of("data"),
    "shape": kinds.listed(kinds.optional(kinds.whole(1, 2**20)), 1, 5),
    "layout": kinds.text("[A-Z]{1,5}", "letters of the axes, as NCHW"),
    "dtype": kinds.one_of("float32", "uint8"),
}
_FIELDS = {
    "precision": kinds.one_of(*PRECISIONS),
    "float32": kinds.named(kinds.listed(kinds.LINE)),
    "tolerance": kinds.number(0, 1e9),
    "checked": kinds.named(kinds.named(kinds.number())),
    "plain": kinds.FLAG,
    "units": kinds.listed(kinds.LINE),
    "stem": kinds.FILE_NAME,
}
_GIVEN = kinds.table(_INPUT, optional=["name"])
_DEPLOYMENT = kinds.table(_FIELDS, optional=["precision", "checked", "plain", "units", "stem"])


@dataclass(frozen=True)
class Deployment:
    """The input of an exported network, called `data`, and the precision it computes in.

    `shape` is the input's, None for an axis that may vary; `layout` names its axes. `dtype` float32
    is prepared pixels; uint8 is RGB pictures, which the graph normalises itself. With
    `probabilities` the graph ends in a softmax over its classes, axis 1. `precision` is one of
    `PRECISIONS`; `float32` names the units that stay in float32, by file ("onnx", "mxnet").
    `tolerance` is the largest error that the golden pair may have, and `checked` what each runtime
    reached when the folder was made: {"mxnet": {"error": 1e-6, ...}}. A `plain` graph has the
    network's own parameters, any other those of a graph optimized for inference. The names of the
    files begin with `stem`, "" for the network's own name.
    """

    shape: Tuple[Optional[int], ...]
    layout: str = "NCHW"
    dtype: str = "float32"
    precision: str = "fp32"
    float32: Dict[str, Tuple[str, ...]] = field(default_factory=dict)
    tolerance: float = FLOAT32_ERROR
    checked: Dict[str, Dict[str, float]] = field(default_factory=dict)
    plain: bool = False
    units: Tuple[str, ...] = ()
    probabilities: bool = False
    stem: str = ""

    @property
    def takes_pictures(self) -> bool:
        """Whether the input is uint8 pictures, channels last or as `channels_first` says."""
        return self.dtype == "uint8"

    @property
    def channels_first(self) -> bool:
        """Whether channels stand right behind the batch: "NCHW"."""
        return self.layout.startswith("NC")

    @property
    def output(self) -> str:
        """What the graph's output is, and its name in ONNX files: one of `OUTPUTS`."""
        return OUTPUTS[self.probabilities]

    def laid_out(self, pixels):
        """uint8 pixels `(..., H, W, C)`, of a sample or a batch, in the order that the graph takes.

        A sample has one axis less than `shape`.
        """
        import numpy as np  # the command line lists precisions without it

        if not self.channels_first:
            return pixels
        return np.ascontiguousarray(np.moveaxis(pixels, -1, pixels.ndim + 1 - len(self.shape)))

    @property
    def described(self) -> str:
        """The input in words: "float32 (varies, 3, 224, 224)"."""
        return f"{self.dtype} ({', '.join('varies' if n is None else str(n) for n in self.shape)})"

    def accepts(self, x):
        """Whether an array is a batch of the input."""
        sizes = zip(self.shape, x.shape)
        fits = len(x.shape) == len(self.shape) and all(n in (None, given) for n, given in sizes)
        return fits and str(x.dtype) == self.dtype

    def fields(self):
        """The two sections for YAML: (`input`, `deployment`)."""
        fields = dataclasses.asdict(self)
        fields["shape"] = list(self.shape)
        fields["float32"] = {file: list(units) for file, units in self.float32.items()}
        fields["units"] = list(self.units)
        del fields["probabilities"]  # told by the manifest's `output`
        for late in ("units", "stem"):  # unknown to older versions
            if not fields[late]:
                del fields[late]
        given = {key: fields.pop(key) for key in ("shape", "layout", "dtype")}
        return {"name": "data", **given}, fields


def read_deployment(given, fields, output="logits") -> Deployment:
    """The deployment that `Deployment.fields` wrote as `given` and `fields`, and its `output`.

    Raises InputError where they are not a deployment's.
    """
    try:
        _GIVEN.check(given, "input")
        _DEPLOYMENT.check(fields, "deployment")
        if len(given["layout"]) != len(given["shape"]):
            raise InputError(
                f"input.layout: a letter for each of the shape's {len(given['shape'])} axes, given "
                f"{given['layout']!r}"
            )
    except InputError as error:
        raise InputError(f"damaged description of the deployment: {error}") from None
    return Deployment(
        **{
            **fields,
            "shape": tuple(given["shape"]),
            "layout": given["layout"],
            "dtype": given["dtype"],
            "float32": {file: tuple(units) for file, units in fields["float32"].items()},
            "tolerance": float(fields["tolerance"]),
            "units": tuple(fields.get("units", ())),
            "probabilities": output == "probabilities",
        }
    )


def refuse_precision(precision):
    """Raise InputError where there is no such precision."""
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}, known: {', '.join(PRECISIONS)}")
