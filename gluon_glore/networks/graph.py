"""The graph of an MXNet symbol, read from its JSON without MXNet, whichever release wrote it.

`read_graph` reads a file, which may be a stranger's: what it holds is bounded, and refused in one
line where it is no graph. `Node` answers what the attributes of an operator say.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Optional, Tuple

from ..utils.errors import InputError, naming
from ..utils.files import absent

MAX_BYTES = 8 * 2**20
MAX_NODES = 20_000  # the released networks have up to 4,000
MAX_NAME = 1000  # characters
LARGEST = 2**20  # number in an attribute

# The operators that have parameters: the inputs behind the data, and the attribute with the width.
PARAMETERS = {
    "Convolution": ("weight", "bias"),
    "FullyConnected": ("weight", "bias"),
    "BatchNorm": ("gamma", "beta", "running_mean", "running_var"),
}
# Operators of 8-bit integers: they have outputs for the least and the largest value, too.
INTEGERS = {
    "_contrib_quantize_v2",
    "_contrib_quantized_act",
    "_contrib_quantized_batch_norm",
    "_contrib_quantized_concat",
    "_contrib_quantized_elemwise_add",
    "_contrib_quantized_flatten",
    "_contrib_quantized_pooling",
    "_sg_mkldnn_conv",
    "_sg_mkldnn_fully_connected",
}
# Operators that cut an array into parts, each an output.
SPLITS = {"SliceChannel", "_split_v2"}
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

        Raises InputError where it is something else, or a number is over `LARGEST`.
        """
        text = self.attrs.get(key)
        if text is None:
            return default
        try:
            values = tuple(int(part) for part in text.strip("()[] ").split(",") if part.strip())
        except ValueError:
            values = None
        if values is None or any(abs(value) > LARGEST for value in values):
            raise InputError(
                f"{self.name}: {key} must be whole numbers up to {LARGEST}, given {text[:80]!r}"
            )
        return values

    def number(self, key, default=None):
        """An attribute as one whole number. Raises InputError where it is not one, or not given."""
        values = self.numbers(key, (default,))
        if len(values) != 1 or values[0] is None:
            raise InputError(f"{self.name}: {key} must be one number, given {values[:9]}")
        return values[0]

    def flag(self, key, default):
        """Whether an attribute says "True" or "1"; `default` where it is not given."""
        return self.attrs.get(key, str(default)).lower() in ("true", "1")

    @property
    def width(self):
        """The channels that a convolution or dense layer gives. Raises InputError below 1."""
        width = self.number(WIDTHS[self.op])
        if width < 1:
            raise InputError(f"{self.name}: {WIDTHS[self.op]} must be at least 1, given {width}")
        return width


def read_graph(path, quantized=False, splits=False) -> Tuple[Node, ...]:
    """The nodes of a symbol file, each behind its inputs.

    Reads what MXNet has written since 2016; `quantized` symbols and those with `splits` as
    `parse_nodes` says. Raises InputError naming the file where it is missing, too large, or no
    symbol.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: {absent(path, 'symbol file')}")
    with naming(path), open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise InputError(f"{path}: over {MAX_BYTES >> 20} MiB, a symbol has less")
    try:
        stored = json.loads(data)
        nodes = stored["nodes"]
        if len(nodes) > MAX_NODES:
            raise InputError(f"{len(nodes)} operators, at most {MAX_NODES} are read")
        _check_ends(stored, len(nodes))
        return parse_nodes(nodes, quantized, splits)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InputError(f"{path}: not an MXNet symbol") from None


def _check_ends(stored, count):
    """Raise InputError where a symbol's variables or outputs are of none of its `count` operators.

    MXNet takes any number for one, and reads what lies there.
    """
    heads = stored.get("heads", ())
    for place in (*stored.get("arg_nodes", ()), *(head[0] for head in heads)):
        if place not in range(count):
            raise InputError(f"no operator {place!r:.20}, of {count}")
    if any(head[1] != 0 for head in heads):
        raise InputError("it gives a second output of an operator")


def parse_nodes(nodes, quantized=False, splits=False) -> Tuple[Node, ...]:
    """The nodes of a symbol's JSON, each behind its inputs.

    In a `quantized` symbol operators of 8-bit integers have three outputs, of which the second and
    third are the least and the largest value; with `splits`, an array that is cut has an output for
    each part. Raises InputError where one reads a second output of another operator, which none of
    the networks here does; ValueError, LookupError, TypeError, AttributeError or OverflowError
    where they are no nodes.
    """
    several = (INTEGERS if quantized else set()) | (SPLITS if splits else set())
    parsed = []
    for place, node in enumerate(nodes):
        parsed.append(_parse_node(node, place))
        for source, output, *_ in node["inputs"]:
            read = parsed[source]
            if output and not (read.op in several and output in range(_count_outputs(read))):
                what = f"{parsed[-1].name} reads a second output of an operator"
                if read.op in SPLITS:
                    what += (
                        f", of {read.name}, which cuts an array as networks of clips do: only "
                        "networks of 2 dimensions are read"
                    )
                raise InputError(what)
    return tuple(parsed)


def _count_outputs(node):
    """The outputs of an operator of integers, or one that cuts."""
    if node.op in INTEGERS:
        return 3
    if node.op == "_split_v2":  # into equal sections, or at places
        return node.number("sections", 0) or len(node.numbers("indices", ()))
    return node.number("num_outputs", 1)


def _parse_node(node, place) -> Node:
    """The node of its JSON, `place` nodes stand before it."""
    name, op = str(node["name"]), str(node["op"])
    if not name.isprintable() or len(name) > MAX_NAME:
        raise ValueError("a name that is no text")
    inputs = tuple(int(entry[0]) for entry in node["inputs"])
    if not all(0 <= i < place for i in inputs):
        raise ValueError("an operator stands before its input")
    if op in PARAMETERS and len(inputs) < 2:
        raise ValueError("a layer without parameters")
    attrs = {}
    for key in ("attr", "param", "attrs"):  # by the age of the MXNet that wrote it
        attrs.update(node.get(key) or {})
    return Node(name, op, {str(key): str(value) for key, value in attrs.items()}, inputs)


def last_layer(nodes) -> Optional[Node]:
    """The last convolution or dense layer: the classifier. None where there is none."""
    return next((node for node in reversed(nodes) if node.op in WIDTHS), None)


def first_convolution(nodes) -> Optional[Node]:
    """The first convolution, which reads the data: the stem. None where there is none."""
    return next((node for node in nodes if node.op == "Convolution"), None)


def data_name(nodes) -> Optional[str]:
    """The name of the variable with the pixels: what the first layer reads. None without one."""
    layers = (node for node in nodes if node.op in PARAMETERS and node.inputs)
    node = next(layers, None)
    while node is not None and node.inputs:
        node = nodes[node.inputs[0]]
    return node and node.name


def pool_window(node) -> tuple:
    """What a location of a pool's output is made of: (kernel, stride, pad, rounding convention).

    ("all",) where it is the whole map: an average at stride 1 has the map's size as its kernel.
    """
    kernel = node.numbers("kernel", ())
    ones, zeros = (1,) * len(kernel), (0,) * len(kernel)
    stride, pad = node.numbers("stride", ones), node.numbers("pad", zeros)
    average = node.attrs.get("pool_type", "max") == "avg"
    if node.flag("global_pool", False) or average and stride == ones and pad == zeros:
        return ("all",)
    return (kernel, stride, pad, node.attrs.get("pooling_convention", "valid"))
