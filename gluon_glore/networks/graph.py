"""A symbol's graph, read from its JSON without MXNet: operators, their inputs and attributes."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple

from ..utils.errors import InputError, naming

MAX_BYTES = 8 * 2**20


MAX_NODES = 20_000  # the released networks have up to 4,000


MAX_NAME = 1000


LARGEST = 2**20  # of any number in it


PARAMETERS = {
    "Convolution": ("weight", "bias"),
    "FullyConnected": ("weight", "bias"),
    "BatchNorm": ("gamma", "beta", "running_mean", "running_var"),
}


WIDTHS = {"Convolution": "num_filter", "FullyConnected": "num_hidden"}


@dataclass(frozen=True)
class Node:
    """An operator, or with `op` "null" a variable; `inputs` are places in the list of nodes."""

    name: str
    op: str
    attrs: Dict[str, str]
    inputs: Tuple[int, ...]

    def numbers(self, key, default):
        """An attribute as a tuple of whole numbers: "(3, 3)" is (3, 3), "2" is (2,).

        Raises InputError where it is something else.
        """
        text = self.attrs.get(key)
        if text is None:
            return default
        try:
            values = tuple(int(part) for part in text.strip("()[] ").split(",") if part.strip())
        except ValueError:
            values = (LARGEST + 1,)
        if any(abs(value) > LARGEST for value in values):
            raise InputError(
                f"{self.name}: {key} must be whole numbers up to {LARGEST}, given {text[:80]!r}"
            )
        return values

    def number(self, key, default=None):
        """An attribute as a whole number. Raises InputError where there is none."""
        values = self.numbers(key, (default,))
        if len(values) != 1 or values[0] is None:
            raise InputError(f"{self.name}: {key} must be one number, given {values[:9]}")
        return values[0]

    @property
    def width(self):
        """The channels or units that a layer gives. Raises InputError where that is no number."""
        width = self.number(WIDTHS[self.op])
        if width < 1:
            raise InputError(f"{self.name}: {WIDTHS[self.op]} must be at least 1, given {width}")
        return width

    def flag(self, key, default):
        """Whether an attribute says "True" or "1"; `default` where it is not given."""
        return self.attrs.get(key, str(default)).lower() in ("true", "1")


def read_graph(path) -> Tuple[Node, ...]:
    """The nodes of a symbol file, each behind its inputs.

    Reads what MXNet has written since 2016. Raises InputError where the file is missing, too large,
    or no symbol.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such symbol file")
    with naming(path), open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: over {MAX_BYTES >> 20} MiB, a symbol has less")
    try:
        nodes = json.loads(data)["nodes"]
        if len(nodes) <= MAX_NODES:
            return parse_nodes(nodes)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InputError(f"{path}: not an MXNet symbol") from None
    raise InputError(f"{path}: {len(nodes)} operators, at most {MAX_NODES} are read")


def parse_nodes(nodes) -> Tuple[Node, ...]:
    """The nodes of a symbol's JSON.

    Raises InputError where one reads a second output of an operator, which none of the networks
    here has; ValueError and its like where they are no nodes.
    """
    parsed = []
    for place, node in enumerate(nodes):
        attrs = {}
        for key in ("attr", "param", "attrs"):  # by the age of the MXNet that wrote it
            attrs.update(node.get(key) or {})
        inputs = tuple(int(entry[0]) for entry in node["inputs"])
        if not all(0 <= i < place for i in inputs):
            raise ValueError("an operator stands before its input")
        name, op = str(node["name"]), str(node["op"])
        if not name.isprintable() or len(name) > MAX_NAME:
            raise ValueError("a name that is no text")
        if op in PARAMETERS and len(inputs) < 2:
            raise ValueError("a layer without parameters")
        if any(entry[1] for entry in node["inputs"]):
            raise InputError(f"{name} reads a second output of an operator")
        attrs = {str(key): str(value) for key, value in attrs.items()}
        parsed.append(Node(name, op, attrs, inputs))
    return tuple(parsed)


def last_layer(nodes) -> Optional[Node]:
    """The last convolution or dense layer: the classifier. None where there is none."""
    return next((node for node in reversed(nodes) if node.op in WIDTHS), None)


def pool_window(node):
    """Kernel, stride and pad of a pool, or "all": an average at stride 1 is as large as its map."""
    kernel = node.numbers("kernel", ())
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    stride, pad = node.numbers("stride", ones), node.numbers("pad", zeros)
    average = node.attrs.get("pool_type", "max") == "avg"
    if node.flag("global_pool", False) or average and stride == ones and pad == zeros:
        return ("all",)
    return (kernel, stride, pad, node.attrs.get("pooling_convention", "valid"))
