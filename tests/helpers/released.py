"""Networks spelled as in the authors' released MXNet files, for the tests of what reads those.

`SPELLINGS` has the same files under other names, and in another order.

Convolutions of graphs are one-dimensional, dual paths are lists of two, the last pool's kernel is
its map's size. Such symbols run on MXNet's plain operators alone: `logits_of` runs them in a
process of its own.
"""

import dataclasses
import json
import os
import random
import subprocess
import sys
import tarfile
from pathlib import Path

import mxnet as mx
import numpy as np

from benchmarks.networks import settle
from gluon_glore import Network
from gluon_glore.convert.compare import PLAIN
from tests.helpers.networks import synthetic
from tests.helpers.places import ROOT


class Speller:
    """Spells a spec; `pointwise` makes dense layers 1x1.

    `eps(name)` and `momentum(name)` are those of a BatchNorm.
    """

    def __init__(self, spec, eps=None, momentum=None, pointwise=False):
        self.spec = spec
        self.eps = eps or (lambda name: spec.eps)
        self.momentum = momentum or (lambda name: 0.9)
        self.pointwise = pointwise

    def symbol(self):
        stem, stem_norm, tail, classifier = self.spec.names
        x = self.norm(self.conv(mx.sym.var("data"), self.spec.stem_conv, stem), stem_norm)
        if self.spec.stem_pool:
            pool = dataclasses.asdict(self.spec.stem_pool)
            x = mx.sym.Pooling(x, name="pool1", pool_type="max", **pool)
        paths = [x]
        for unit in self.spec.plan():
            paths = getattr(self, unit.kind)(paths, unit)
        x = self.norm(self.joined(paths), tail)
        kernel = tuple(n // s for n, s in zip(self.spec.input_size, self.spec.total_stride))
        x = mx.sym.Pooling(x, name="global-pool", pool_type="avg", kernel=kernel, stride=(1, 1))
        x = self.dense(x, self.spec.classes, classifier)
        return mx.sym.SoftmaxOutput(mx.sym.Flatten(x) if self.pointwise else x, name="softmax")

    def norm(self, x, name):
        options = {"fix_gamma": False, "momentum": self.momentum(name), "eps": self.eps(name)}
        x = mx.sym.BatchNorm(x, name=f"{name}__bn", **options)
        return mx.sym.Activation(x, act_type="relu", name=f"{name}__ac")

    def conv(self, x, conv, name):
        kernel, stride, pad = conv.kernel, conv.stride, conv.pad
        if "_GCN-" in name:
            kernel, stride, pad = (1,), (1,), (0,)
        groups = {"num_group": conv.groups} if conv.groups > 1 else {}
        return mx.sym.Convolution(
            x,
            num_filter=conv.out_channels,
            kernel=kernel,
            stride=stride,
            pad=pad,
            no_bias=True,
            name=f"{name}__conv",
            **groups,
        )

    def preact(self, x, conv, unit):
        name = f"{unit.name}_{conv.name}"
        return self.conv(self.norm(x, name), conv, name)

    def dense(self, x, width, name):
        if self.pointwise:
            return mx.sym.Convolution(x, num_filter=width, kernel=(1, 1), name=name)
        return mx.sym.FullyConnected(mx.sym.Flatten(x), num_hidden=width, name=name)

    def joined(self, paths):
        return paths[0] if len(paths) == 1 else mx.sym.Concat(*paths)

    def residual(self, paths, unit):
        x = y = paths[0]
        for conv in unit.convs:
            y = self.preact(y, conv, unit)
        if unit.squeeze_excite:
            y = self.attention(y, unit)
        return [y + (self.preact(x, unit.shortcut, unit) if unit.shortcut else x)]

    def attention(self, x, unit):
        row, name = unit.squeeze_excite, f"{unit.name}_se"
        y = mx.sym.Pooling(x, global_pool=True, kernel=(7, 7), pool_type="avg")
        y = mx.sym.Activation(self.dense(y, row.hidden, f"{name}-fc1"), act_type="relu")
        y = mx.sym.Activation(self.dense(y, row.channels, f"{name}-fc2"), act_type="sigmoid")
        y = y if self.pointwise else mx.sym.Reshape(y, shape=(-1, row.channels, 1, 1))
        return mx.sym.broadcast_mul(x, y)

    def dual_path(self, paths, unit):
        x = self.joined(paths)
        if unit.projection:
            paths = self.split(self.preact(x, unit.projection, unit), unit)
        for conv in unit.convs:
            x = self.preact(x, conv, unit)
        residual, dense = self.split(x, unit)
        return [mx.sym.ElementWiseSum(paths[0], residual), mx.sym.Concat(paths[1], dense)]

    def split(self, x, unit):
        first = mx.sym.slice_axis(x, axis=1, begin=0, end=unit.residual)
        return [first, mx.sym.slice_axis(x, axis=1, begin=unit.residual, end=None)]

    def glore(self, paths, unit):
        read = self.joined(paths) if unit.residual else paths[0]
        state = self.preact(read, unit.state, unit)
        flat = mx.sym.Reshape(state, shape=(0, 0, -1))
        mask = mx.sym.Reshape(self.preact(read, unit.projection, unit), shape=(0, 0, -1))
        nodes = mx.sym.batch_dot(flat, mask, transpose_b=True, name=f"{unit.name}_proj")
        ((adjacency, update),) = unit.graph
        related = self.preact(mx.sym.transpose(nodes, axes=(0, 2, 1)), adjacency, unit)
        nodes = nodes + mx.sym.transpose(related, axes=(0, 2, 1))
        y = self.preact(nodes, update, unit)
        y = mx.sym.batch_dot(y, mask, name=f"{unit.name}_reverse-proj")
        y = mx.sym.reshape_like(y, state)
        tails = [self.preact(y, conv, unit) for conv in unit.extensions]
        return [path + tail for path, tail in zip(paths, tails)] + paths[len(tails) :]


def network(spec, **spelling):
    """(symbol, arrays) of a spec in the released layout: weights by name, settled statistics."""
    symbol = Speller(spec, **spelling).symbol()
    return symbol, arrays_of(symbol, spec)


def arrays_of(symbol, spec):
    """Synthetic weights for a symbol, and the statistics that they have in the network here."""
    shapes, _, _ = symbol.infer_shape(data=(1, spec.in_channels, *spec.input_size))
    named = zip(symbol.list_arguments(), shapes)
    weights = {n: synthetic(n, s) for n, s in named if n not in ("data", "softmax_label")}
    net = Network(spec)
    net.initialize(mx.init.Zero())
    for name, param in net.collect_params().items():
        if name in weights:
            param.set_data(mx.nd.array(weights[name].reshape(param.shape)))
    settle(net, mx.nd.array(picture(spec, 4)))
    arrays = {f"arg:{name}": array for name, array in weights.items()}
    for name in symbol.list_auxiliary_states():
        statistics = net.collect_params()[name.replace("moving", "running")].data()
        arrays[f"aux:{name}"] = statistics.asnumpy()
    return arrays


def picture(spec, batch=2):
    """A normal input."""
    shape = (batch, spec.in_channels, *spec.input_size)
    return np.random.RandomState(7).normal(size=shape).astype("float32")


def write_files(folder, symbol, arrays, prefix="net"):
    """`PREFIX-symbol.json`, of a symbol or the text of one, and `PREFIX-0120.params`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / f"{prefix}-symbol.json", folder / f"{prefix}-0120.params"
    paths[0].write_text(symbol if isinstance(symbol, str) else symbol.tojson())
    mx.nd.save(str(paths[1]), {name: mx.nd.array(array) for name, array in arrays.items()})
    return paths


def write_tar(path, symbol, arrays):
    """The archive of a network, in a folder of code as the released ones."""
    files = write_files(path.parent / f"{path.stem}-files", symbol, arrays)
    with tarfile.open(path, "w") as tar:
        for file in files:
            tar.add(file, f"code/models/{file.name}")
            file.unlink()
    return path


def logits_of(releases, folder):
    """The logits of `picture`s by the plain operators: of each (symbol, parameters, spec)."""
    jobs = []
    for i, (symbol, params, spec) in enumerate(releases):
        np.save(folder / f"x{i}.npy", picture(spec))
        jobs.append([str(symbol), str(params), f"{folder}/x{i}.npy", f"{folder}/y{i}.npy"])
    command = "import json, sys; from gluon_glore.convert.compare import main"
    command += "; [main(*job) for job in json.loads(sys.argv[1])]"
    environment = {**os.environ, **PLAIN}
    done = [sys.executable, "-c", command, json.dumps(jobs)]
    subprocess.run(done, check=True, cwd=ROOT, env=environment)
    return [np.load(Path(job[-1])) for job in jobs]


def aged(text):
    """A symbol's JSON as MXNet wrote it in 2016: other keys, no nodes for statistics, old names."""
    graph = json.loads(text)
    kept, places = [], {}
    variables = {node["name"] for node in graph["nodes"] if "_moving_" in node["name"]}
    for place, node in enumerate(graph["nodes"]):
        if node["name"] in variables:
            continue
        inputs = [entry for entry in node["inputs"] if entry[0] in places]
        old = {
            "op": {"elemwise_add": "_Plus", "add_n": "ElementWiseSum"}.get(node["op"], node["op"]),
            "name": node["name"],
            "param": node.get("attrs", {}) if node["op"] != "null" else {},
            "inputs": [[places[entry[0]], entry[1]] for entry in inputs],
            "backward_source_id": -1,
        }
        places[place] = len(kept)
        kept.append(old)
    heads = [[places[head[0]], head[1]] for head in graph["heads"]]
    arguments = [place for place, node in enumerate(kept) if node["op"] == "null"]
    return json.dumps({"nodes": kept, "arg_nodes": arguments, "heads": heads})


def numbered(symbol, spec):
    """Arrays of a symbol's shapes that take no memory: the first has ones, the next twos."""
    shapes, _, statistics = symbol.infer_shape(data=(1, spec.in_channels, *spec.input_size))
    named = [*zip(symbol.list_arguments(), shapes)]
    named += zip(symbol.list_auxiliary_states(), statistics)
    named = [(name, shape) for name, shape in named if name not in ("data", "softmax_label")]
    return {n: np.broadcast_to(np.float32(i), s) for i, (n, s) in enumerate(named, start=1)}


def renamed(text, arrays, rename):
    """A symbol's JSON with other names, `rename(place, name)`, and the arrays under theirs."""
    graph, names = json.loads(text), {}
    for place, node in enumerate(graph["nodes"]):
        names[node["name"]] = node["name"] = rename(place, node["name"])
    return json.dumps(graph), {names[name]: array for name, array in arrays.items()}


def two_underscores(text, arrays):
    return text, arrays


def one_underscore(text, arrays):
    """As public copies of the release's symbols are named: `conv2_B01_conv-m1_conv_weight`."""

    def rename(place, name):
        return name.replace("__conv", "_conv").replace("__bn", "_bn").replace("__ac", "_relu")

    return renamed(text, arrays, rename)


def scrambled(text, arrays):
    """Every node and variable is called `n17`, the data too."""
    return renamed(text, arrays, lambda place, name: f"n{place}")


def reordered(text, arrays):
    """The same computation: other names, operators in another order, sums the other way round."""
    rng, graph = random.Random(3), json.loads(text)
    old, places, nodes = graph["nodes"], {}, []
    waiting = set(range(len(old)))
    ready = [i for i in waiting if not old[i]["inputs"]]
    readers = {i: [] for i in waiting}
    for i, node in enumerate(old):
        for entry in node["inputs"]:
            readers[entry[0]].append(i)
    while ready:
        i = ready.pop(rng.randrange(len(ready)))
        waiting.discard(i)
        places[i] = len(nodes)
        inputs = [[places[entry[0]], *entry[1:]] for entry in old[i]["inputs"]]
        if old[i]["op"] in ("elemwise_add", "add_n", "broadcast_add"):
            inputs.reverse()
        nodes.append({**old[i], "inputs": inputs})
        for reader in set(readers[i]) & waiting:
            if all(entry[0] in places for entry in old[reader]["inputs"]):
                ready.append(reader)
    heads = [[places[head[0]], *head[1:]] for head in graph["heads"]]
    arguments = [i for i, node in enumerate(nodes) if node["op"] == "null"]
    text = json.dumps({"nodes": nodes, "arg_nodes": arguments, "heads": heads})
    return renamed(text, arrays, lambda place, name: f"x{place}")


SPELLINGS = {
    "one underscore": one_underscore,
    "two underscores": two_underscores,
    "scrambled": scrambled,
    "another order": reordered,
}
