"""The authors' released MXNet networks: a symbol and a parameter file, onto the networks here.

The graph decides, not the file's name: the spec is read off its convolutions, a network is built
from it, and each of its layers must then compute what a layer of the file's graph computes
(`meaning.Meaning`). Names of layers tell only which unit a convolution belongs to.
"""

import dataclasses
import json
import re
from collections import Counter, defaultdict

import mxnet as mx
import numpy as np

from ..networks.graph import WIDTHS, last_layer, parse_nodes, pool_window, read_graph
from ..networks.network import Network
from ..plan.spec import NAMES, NetSpec
from ..plan.stages import Placement, Stage, Stem
from ..utils.errors import InputError, listed
from ..weights.parameters import without_kinds
from ..weights.params_file import read_params
from .meaning import Meaning
from .recognized import Recognized

_UNIT = {
    "resnet": re.compile(r"conv(\d)_B(\d+)_(extra_)?(.+?)__conv_weight"),
    "dpn": re.compile(r"conv(\d)_x__(\d+)_(extra_)?(.+?)__conv_weight"),
}
_BODY = {
    "resnet": (("conv-m1", "conv-m2", "conv-m3"), ("conv-m1", "conv-m2")),
    "dpn": (("c1x1-a", "c3x3-b", "c1x1-c"),),
}
DEFAULT_EPS = 1e-3  # MXNet's, where a symbol names none
LARGEST_INPUT = 2048  # pixels on a side


def read_release(symbol, params) -> Recognized:
    """The network of a released symbol file and its parameter file.

    Raises InputError where either is damaged, the graph is none of the networks here, or parameters
    are left over on either side, naming them.
    """
    nodes = read_graph(symbol)
    try:
        return match(recognize(nodes), nodes, read_params(params))
    except InputError as error:
        raise InputError(f"{symbol}: {error}") from None


def recognize(nodes) -> NetSpec:
    """The spec of a released graph.

    BatchNorm's eps is the smallest in the graph. Raises InputError where the graph does not have
    the units of the released networks.
    """
    # By the names of their weights: Gluon's exports call the operators otherwise.
    convolutions = {nodes[node.inputs[1]].name: node for node in nodes if node.op == "Convolution"}
    family = next((f for f, unit in _UNIT.items() if any(map(unit.match, convolutions))), None)
    if family is None:
        raise InputError("no residual or dual-path units of the released networks in it")
    body, extras = _units(family, convolutions)
    stem = convolutions.get(f"{NAMES[family][0]}__conv_weight")
    if stem is None:
        raise InputError(f"no stem {NAMES[family][0]}__conv_weight in it")
    numbers = sorted({stage for stage, _ in body})
    if numbers != list(range(2, 2 + len(numbers))):
        raise InputError(f"stages must be Res2, Res3 and so on, given {numbers}")
    stages = tuple(_stage(family, number, body) for number in numbers)
    classifier = _classifier(family, nodes)
    pools = [node for node in nodes if node.op == "Pooling"]
    spec = NetSpec(
        stages=stages,
        stem=_stem(stem, pools),
        family=family,
        bottleneck=any("conv-m3" in unit for unit in body.values()) or family == "dpn",
        squeeze_excite=_squeeze_excite(family, nodes, stages[0], (stem, classifier)),
        extras=tuple(_placement(*place, unit, stages) for place, unit in sorted(extras.items())),
        classes=classifier.width,
        eps=min((_eps(n) for n in nodes if n.op == "BatchNorm"), default=DEFAULT_EPS),
    )
    size = _input_size(pools[-1], spec.total_stride) if pools else None
    return dataclasses.replace(spec, input_size=size) if size else spec


def _units(family, convolutions):
    """({(stage, block): {leaf name: convolution}} of residual units, the same of extra units)."""
    body, extras = defaultdict(dict), defaultdict(dict)
    for name, node in convolutions.items():
        match = _UNIT[family].fullmatch(name)
        if match:
            stage, block, extra, leaf = match.groups()
            (extras if extra else body)[int(stage), int(block)][leaf] = node
    return body, extras


def _stage(family, number, body):
    """The `Stage` Res`number` of the residual units `body`."""
    blocks = sorted(block for stage, block in body if stage == number)
    if blocks != list(range(1, len(blocks) + 1)):
        raise InputError(f"Res{number} must have units 1, 2 and so on, given {blocks}")
    first = body[number, 1]
    leaves = next((ls for ls in _BODY[family] if all(leaf in first for leaf in ls)), None)
    if leaves is None:
        raise InputError(f"unit 1 of Res{number} has not the convolutions of a released one")
    convs = [first[leaf] for leaf in leaves]
    wide, grouped = convs[0].width, convs[1].number("num_group", 1)
    out, growth = convs[-1].width, 0
    if family == "dpn":  # the last convolution has R + G filters, the projection R + 2 G
        projection = next((n for leaf, n in first.items() if leaf.startswith("c1x1-w")), None)
        if projection is None:
            raise InputError(f"unit 1 of Res{number} has no projection")
        growth = projection.width - out
        out -= growth
    mid = wide if len(leaves) == 3 and (wide != out // 4 or family == "dpn") else None
    strided = convs[1 if len(leaves) == 3 else 0]
    stride = _one(strided.numbers("stride", (1,)))
    return Stage(len(blocks), out, stride, mid, groups=grouped, growth=growth)


def _stem(conv, pools):
    """The `Stem`; its kernels and strides are square, as in all released networks."""
    pool = next((p for p in pools if p.attrs.get("pool_type", "max") == "max"), None)
    return Stem(
        channels=conv.width,
        kernel=_one(conv.numbers("kernel", ())),
        stride=_one(conv.numbers("stride", (1,))),
        pool=_one(pool.numbers("kernel", ())) if pool else 0,
    )


def _one(values):
    """The one number that all values are. Raises InputError where they differ."""
    if len(set(values)) != 1 or values[0] < 1:
        raise InputError(f"kernels and strides must be square, given {values[:9]}")
    return values[0]


def _placement(stage, block, unit, stages):
    """The `Placement` of an extra unit. Raises InputError where it is no GloRe unit."""
    if "conv-proj" not in unit or not 2 <= stage < 2 + len(stages):
        raise InputError(f"the extra unit {block} of Res{stage} is no released GloRe unit")
    nodes, options = unit["conv-proj"].width, {}
    if nodes != stages[stage - 2].out_channels // 4:
        options["mid_channels"] = nodes
    if "conv-tail-res" in unit:
        options["both_paths"] = True
    return Placement("glore", stage, block, tuple(sorted(options.items())))


def _classifier(family, nodes):
    """The last layer, dense or a convolution. Raises InputError where it is one of a unit."""
    layer = last_layer(nodes)
    if _UNIT[family].fullmatch(nodes[layer.inputs[1]].name):
        raise InputError("no classifier in it")
    return layer


def _squeeze_excite(family, nodes, first_stage, others):
    """The reduction of channel attention, 0 without: its first layer is the first of no unit."""
    for node in nodes:
        if node.op not in WIDTHS or node in others:
            continue
        if not _UNIT[family].fullmatch(nodes[node.inputs[1]].name):
            return first_stage.out_channels // node.width
    return 0


def _eps(node):
    """A BatchNorm's eps. Raises InputError where it is no sensible number."""
    text = node.attrs.get("eps", DEFAULT_EPS)
    try:
        eps = float(text)
    except ValueError:
        eps = 0.0
    if not 0 < eps <= 1:
        raise InputError(f"{node.name}: eps must be above 0 and at most 1, given {text[:80]!r}")
    return eps


def _input_size(pool, stride):
    """The input size that the last pool was made for; None where it takes any."""
    if pool_window(pool) != ("all",) or pool.flag("global_pool", False):
        return None
    size = tuple(_one(pool.numbers("kernel", ())) * s for s in stride)
    if max(size) > LARGEST_INPUT:
        raise InputError(f"{pool.name}: made for {size} pixels, at most {LARGEST_INPUT} a side")
    return size


def match(spec, nodes, arrays) -> Recognized:
    """Match a graph's layers with those of the spec's network, and take over their parameters.

    `arrays` are those of the file, by the names of the graph's variables, with or without `arg:`
    and `aux:`. Raises InputError naming what has no counterpart, on either side.
    """
    arrays = without_kinds(arrays)
    stem = arrays.get(f"{spec.names[0]}__conv_weight")
    if stem is not None and stem.ndim > 1:  # no graph says how many channels its data has
        spec = dataclasses.replace(spec, in_channels=stem.shape[1])
    net = Network(spec)
    ours = Meaning(parse_nodes(json.loads(net(mx.sym.var("data")).tojson())["nodes"])).layers
    theirs = Meaning(nodes).layers
    shapes = {name: param.shape for name, param in net.collect_params().items()}
    problems = [
        f"{layer.node.name} computes nothing that {_title(spec)} does"
        for meaning, layers in theirs.items()
        for layer in layers[len(ours.get(meaning, ())) :]
    ]
    problems += [
        f"{layer.node.name} of {_title(spec)} is missing"
        for meaning, layers in ours.items()
        for layer in layers[len(theirs.get(meaning, ())) :]
    ]
    filled, notes, read = {}, Counter(), set()
    for meaning, layers in ours.items():
        for our, their in _pairs(layers, theirs.get(meaning, ())):
            for role, name in our.parameters.items():
                source = as_in_file(their.parameters.get(role, ""), arrays)
                read.add(source)
                value = arrays.get(source)
                if role == "gamma" and their.node.flag("fix_gamma", True):
                    value = np.ones(shapes[name], np.float32)
                    notes["BatchNorms have a fixed gamma of 1"] += 1
                if value is None:
                    problems.append(f"{source or name} is missing in the parameter file")
                    continue
                if _longer_axes(value.shape) != _longer_axes(shapes[name]):
                    problems.append(f"{source} is {value.shape}, not {shapes[name]}")
                    continue
                if role == "running_var" and _eps(their.node) != spec.eps:
                    # The same sum; the spec has one eps for all, the smallest.
                    value = value + np.float32(_eps(their.node) - spec.eps)
                    notes[
                        f"BatchNorms have an eps of {_eps(their.node):g}, added to the variance"
                    ] += 1
                filled[name] = value.reshape(shapes[name])
    problems += [f"{name} is read by no layer" for name in arrays if name not in read]
    if problems:
        raise InputError(
            f"{len(problems)} things can't be mapped onto {_title(spec)}: {listed(problems)}"
        )
    notes = tuple(f"{n} {text}" for text, n in notes.items())
    return Recognized(spec, filled, notes)


def _pairs(ours, theirs):
    """Pairs of our and their layers of one meaning, in a list.

    Where several have it, as keys and queries of attention do, names tell them apart. Raises
    InputError where they can't.
    """
    if len(ours) == 1:
        return list(zip(ours, theirs))
    by_name = {layer.node.name: layer for layer in theirs}
    if {layer.node.name for layer in ours} != set(by_name):
        names = ", ".join(layer.node.name for layer in ours)
        raise InputError(f"the layers {names} can't be told apart")
    return [(layer, by_name[layer.node.name]) for layer in ours]


def as_in_file(name, arrays):
    """The name in the file of a parameter of the graph: "moving" or "running" statistics."""
    other = name.replace("_moving_", "_running_")
    if other == name:
        other = name.replace("_running_", "_moving_")
    return other if name not in arrays and other in arrays else name


def _longer_axes(shape):
    """The sizes other than 1: a weight is (N, C, 1) in a convolution, (N, C) in a dense layer."""
    return [size for size in shape if size != 1]


def _title(spec):
    blocks = ",".join(str(stage.blocks) for stage in spec.stages)
    return f"the {spec.family} of {blocks} units, extra units {spec.placement}"
