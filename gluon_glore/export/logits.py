"""Which output of a symbol is the logits: chosen among several, and taken before its softmax."""

import json

from ..networks.graph import Node
from ..utils.errors import InputError, shown

# The last operator of networks that give probabilities: the logits are what it reads.
SOFTMAX = {"softmax", "log_softmax", "SoftmaxOutput", "Softmax", "SoftmaxActivation"}
# Of others, whose outputs are no classes that exclude each other.
OTHERS = {
    "sigmoid",
    "LogisticRegressionOutput",
    "LinearRegressionOutput",
    "MAERegressionOutput",
    "SVMOutput",
    "MakeLoss",
}


def choose_output(symbol, output=None):
    """The one output of a symbol, or of several the one that `output` tells: (symbol, its number).

    `output` is its number or name, or the name of an operator inside of the network, whose number
    is None. Raises InputError, naming them, where none is told or it is none of them.
    """
    names = [name.removesuffix("_output") for name in symbol.list_outputs()]
    if output is None and len(names) == 1:
        return symbol[0], 0
    if isinstance(output, str) and output.isdecimal() and output not in names:
        output = int(output)
    if output in names:
        output = names.index(output)
    if isinstance(output, int) and output in range(len(names)):
        return symbol[output], output
    inside = symbol.get_internals()
    if f"{output}_output" in inside.list_outputs():
        return inside[f"{output}_output"], None
    told = ", ".join(f"{i} {name}" for i, name in enumerate(names[:8]))
    told += f" and {len(names) - 8} more" if len(names) > 8 else ""
    given = "" if output is None else f", given {shown(output)}"
    raise InputError(
        f"the network has {len(names)} outputs, {told}: say which has the logits by --output, in "
        f"Python output={given}"
    )


def without_softmax(symbol, count_axes):
    """(symbol, name of the softmax left out): a symbol's logits where its output is a softmax.

    "" where there is none. `count_axes(logits)` are the axes of a symbol's output, of which classes
    are axis 1. Raises InputError where the last operator makes of logits what can't be undone, or
    classes don't exclude each other.
    """
    node = last_operator(symbol)
    kind = node.attrs.get("act_type", node.op) if node.op == "Activation" else node.op
    if kind in OTHERS:
        raise InputError(
            f"{node.name}, the network's last operator, is {kind}: its outputs are no logits of "
            "classes of which one is right; --output names the operator that gives these"
        )
    if node.op not in SOFTMAX:
        return symbol, ""
    logits = symbol.get_children()[0]
    if not _over_classes(node, count_axes(logits)):
        raise InputError(
            f"{node.name}, the network's last operator, is {node.op} over another axis than 1, of "
            f"the classes, or at a temperature: {node.attrs}"
        )
    return logits, node.name


def last_operator(symbol):
    """The `Node` that gives a symbol's first output."""
    stored = json.loads(symbol.tojson())
    node = stored["nodes"][stored["heads"][0][0]]
    return Node(node["name"], node["op"], node.get("attrs", {}), ())


def _over_classes(node, ndim):
    """Whether a softmax of `ndim` axes is over axis 1 and changes nothing else."""
    if node.op in ("SoftmaxOutput", "Softmax"):
        return ndim == 2 or node.flag("multi_output", False)
    if node.op == "SoftmaxActivation":
        return ndim == 2 or node.attrs.get("mode") == "channel"
    plain = node.attrs.get("temperature", "None") in ("None", "1.0", "1")
    return plain and node.number("axis", -1) % ndim == 1 and not node.flag("use_length", False)
