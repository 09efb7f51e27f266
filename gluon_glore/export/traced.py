"""A Gluon network as a symbol of "data" whose names say nothing of the process that made it.

Gluon counts the blocks of a process, so a network made a second time has other names, and a block
that is called twice gives two operators one name. Here the same network always has the same names,
and each name once.
"""

import itertools
import json
import re
from collections import defaultdict
from typing import Dict, NamedTuple, Optional

import mxnet as mx
from mxnet.gluon import HybridBlock

from ..networks.network import Network
from ..networks.outputs import flat
from ..plan.time_axis import with_time_axis
from ..utils.errors import InputError
from ..weights import named_arrays
from ..weights.names import without_kinds
from .logits import choose_output, without_softmax
from .runtime import reason
from .symbol_graph import arrays_of


class Traced(NamedTuple):
    """The `symbol` of a network from "data" to its logits, and its `parameters` by name there.

    `place` is the number of the network's output that these are; None where they are inside of it,
    before the operator `dropped` or at the one that was chosen.
    """

    symbol: mx.sym.Symbol
    parameters: Dict[str, mx.gluon.Parameter]
    place: Optional[int]
    dropped: str = ""

    @property
    def shapes(self):
        """The shapes of the parameters, of those that have one yet."""
        shapes = {name: param.shape for name, param in self.parameters.items()}
        return {name: shape for name, shape in shapes.items() if shape and min(shape) > 0}

    def infer_output(self, shape):
        """The shape of the logits for an input of `shape`. Raises InputError as `infer_output`."""
        return infer_output(self.symbol, data=shape, **self.shapes)

    def arrays(self, net):
        """The parameters' values, as MXNet's files call them. Raises as `named_arrays` does."""
        values = without_kinds(named_arrays(net))
        named = {name: values[param.name] for name, param in self.parameters.items()}
        return arrays_of(self.symbol, named)


def trace(net, shape, output=None) -> Traced:
    """Trace a HybridBlock that takes an input of `shape` to its logits.

    A softmax at its end is left out. Raises InputError where it can't be traced, it has several
    outputs and `output` names none of them, or it does not take the shape.
    """
    if not isinstance(net, HybridBlock):
        raise InputError(
            f"a HybridBlock has a graph, {type(net).__name__} has none: make its class one, of "
            "hybrid_forward"
        )
    drawn = _with_time_axis(net)
    try:
        with mx.name.NameManager():  # what is outside of all blocks is counted from 0, too
            outputs = drawn(mx.sym.var("data"))
    except InputError:
        raise
    except Exception as error:  # whatever the network's own code raises
        raise InputError(f"{type(net).__name__} can't be traced: {reason(error)}") from error
    symbol = _tidy(mx.sym.Group(flat(outputs)), _roots(drawn))
    symbol, place = choose_output(symbol, output)
    renamed = _roots(net)
    read = set(symbol.list_inputs())
    parameters = {_renamed(p.name, renamed): p for p in net.collect_params().values()}
    parameters = {name: param for name, param in parameters.items() if name in read}
    traced = Traced(symbol, parameters, place)
    logits, dropped = without_softmax(
        symbol, lambda logits: len(infer_output(logits, data=shape, **traced.shapes))
    )
    return traced._replace(symbol=logits, place=None, dropped=dropped) if dropped else traced


def _with_time_axis(net):
    """The network whose graph is drawn: of a `Network` of clips its twin with an axis for time.

    MXNet trains faster on pictures, but runtimes fold more BatchNorms on five axes. A network that
    was changed by hand, so that its spec does not tell all of it, is drawn as it is.
    """
    if not isinstance(net, Network) or not net.spec.clip_frames:
        return net
    twin = Network(with_time_axis(net.spec), net.classes)
    return twin if _structure(twin.features) == _structure(net.features) else net


def _structure(block):
    """The names of the blocks of a network's `features`, and whether they pool the maximum too."""
    pools = [getattr(child, "mean_max", False) for child in block._children.values()]
    return [child.name for child in block._children.values()], pools


def infer_output(symbol, **shapes):
    """The shape of a symbol's output, of the shapes of its input and parameters.

    Raises InputError where it does not take them, or they do not tell.
    """
    read = set(symbol.list_inputs())
    try:  # not `infer_shape`, which prints every argument when it fails
        _, outputs, _ = symbol.infer_shape_partial(
            **{name: shape for name, shape in shapes.items() if name in read}
        )
    except mx.MXNetError as error:
        raise InputError(f"the network does not take such an input: {reason(error)}") from None
    if not outputs or not outputs[0] or min(outputs[0]) < 1:
        raise InputError("the network's graph does not tell the shape of its output")
    return outputs[0]


def _roots(net):
    """{prefix that a process counted: the same counted in this network}."""
    counts, renamed = defaultdict(int), {}

    def walk(block):
        alias = block._alias()
        if re.fullmatch(rf"{re.escape(alias)}\d+_", block.prefix) and block.prefix not in renamed:
            renamed[block.prefix] = f"{alias}{counts[alias]}_"
            counts[alias] += 1
        for child in block._children.values():
            walk(child)

    walk(net)
    return renamed


def _renamed(name, roots):
    """A name with another root, where it begins with one of the `roots`."""
    ends = (i for i, letter in enumerate(name, start=1) if letter == "_")
    end = next((i for i in ends if name[:i] in roots), 0)
    return roots[name[:end]] + name[end:] if end else name


def _tidy(symbol, roots):
    """The symbol with roots renamed and no name twice."""
    stored = json.loads(symbol.tojson())
    names = [_renamed(node["name"], roots) for node in stored["nodes"]]
    taken, seen = set(names), set()
    for node, name in zip(stored["nodes"], names):
        if name in seen:
            if node["op"] == "null":
                raise InputError(f"two parameters of the network are called {name}")
            name = next(n for i in itertools.count(1) if (n := f"{name}_{i}") not in taken)
        taken.add(name)
        seen.add(name)
        node["name"] = name
    return mx.sym.load_json(json.dumps(stored))
