"""The 2-D and 3-D residual networks in PyTorch, from the same plan: what a user would run instead.

They are written as is usual there: bare convolutions, ReLU in place, and matrix products of
flattened locations, which take both memory formats without a copy. They share no code with the
networks of `gluon_glore`, only the plan, and so the names.
"""

from collections import OrderedDict
from dataclasses import replace

import torch
from torch import nn

from gluon_glore.utils.errors import InputError

# PyTorch's names of a BatchNorm's arrays, and those of the files where they differ.
_NORM_NAMES = {"weight": "gamma", "bias": "beta"}

CONVOLUTIONS = {2: nn.Conv2d, 3: nn.Conv3d}
NORMS = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX_POOLS = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOLS = {2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


class Layer(nn.Module):
    """A convolution with BatchNorm and ReLU before it, or BatchNorm behind it, or neither."""

    def __init__(self, row, eps, before=True, behind=False):
        super().__init__()
        axes = len(row.kernel)
        conv, norm = CONVOLUTIONS[axes], NORMS[axes]
        if before:
            self.add_module("_bn", norm(row.in_channels, eps=eps))
            self.add_module("_relu", nn.ReLU(inplace=True))
        self.add_module(
            "_conv",
            conv(
                row.in_channels,
                row.out_channels,
                row.kernel,
                row.stride,
                row.pad,
                row.dilation,
                groups=row.groups,
                bias=row.bias,
            ),
        )
        if behind:
            self.add_module("_bn", norm(row.out_channels, eps=eps))
            nn.init.zeros_(self._bn.weight)
        nn.init.kaiming_normal_(self._conv.weight)
        if row.bias:
            nn.init.zeros_(self._conv.bias)

    def forward(self, x):
        """`(B, C, *space) -> (B, C', *space')`."""
        for layer in self.children():
            x = layer(x)
        return x


class Residual(nn.Module):
    """x + convs(x), or shortcut(x) + convs(x)."""

    def __init__(self, unit):
        super().__init__()
        for row in (*unit.convs, unit.shortcut):
            if row:
                self.add_module(row.name, Layer(row, unit.eps))
        self.body = [row.name for row in unit.convs]
        self.shortcut = unit.shortcut and unit.shortcut.name

    def forward(self, x):
        """`(B, C, *space) -> (B, C', *space')`."""
        y = x
        for name in self.body:
            y = self._modules[name](y)
        y += self._modules[self.shortcut](x) if self.shortcut else x
        return y


def across(row, ndim):
    """A unit's 1x1 convolution, two axes in the plan, for the `ndim` axes of the network."""
    ones, zeros = (1,) * ndim, (0,) * ndim
    return replace(row, kernel=ones, stride=ones, pad=zeros, dilation=ones)


class GloRe(nn.Module):
    """The global reasoning unit of the paper's section 3, either arrangement and order."""

    def __init__(self, unit):
        super().__init__()
        self.post = unit.arrangement == "post"
        (graph,), (extension,) = unit.graph, unit.extensions
        rows = (unit.state, unit.projection, *graph, extension)
        *others, extension = (across(row, unit.ndim) for row in rows)
        for row in others:
            self.add_module(row.name, Layer(row, unit.eps, before=not self.post))
        self.add_module(
            extension.name, Layer(extension, unit.eps, before=not self.post, behind=self.post)
        )
        self.names = [row.name for row in rows]
        self.normalize = unit.normalize
        self.extend_first = unit.extend_first

    def forward(self, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        state, projection, adjacency, update, extension = (self._modules[n] for n in self.names)
        mask = projection(x).flatten(2)  # (B, N, L)
        v = torch.matmul(state(x).flatten(2), mask.transpose(1, 2))  # (B, S, N)
        if self.normalize:
            v = v / mask.shape[2]
        v = v.transpose(1, 2).unflatten(2, (-1,) + (1,) * (x.dim() - 3))  # (B, N, S, 1)
        u = (v + adjacency(v)).transpose(1, 2)  # (B, S, N, 1)
        if self.post:
            u = torch.relu_(u)
        z = update(u)
        if self.extend_first:
            z = extension._conv(z)  # (B, C, N, 1)
        y = torch.matmul(z.flatten(2), mask).unflatten(2, x.shape[2:])
        y = extension._bn(y) if self.extend_first else extension(y)
        y += x
        return y


class NonLocal(nn.Module):
    """The embedded-Gaussian non-local block (Wang et al. 2018)."""

    def __init__(self, unit):
        super().__init__()
        rows = unit.theta, unit.phi, unit.value, unit.extension
        self.names = [row.name for row in rows]
        for row in rows:
            behind = row.name == self.names[-1]
            row = across(row, unit.ndim)
            self.add_module(row.name, Layer(row, unit.eps, before=False, behind=behind))
        self.pool = nn.Identity()
        if unit.subsample > 1:  # space alone, not time
            pool = (unit.subsample,) * unit.ndim if unit.ndim < 3 else (1, *(unit.subsample,) * 2)
            self.pool = MAX_POOLS[unit.ndim](pool, ceil_mode=True)

    def forward(self, x):
        """`(B, C, *space) -> (B, C, *space)`."""
        theta, phi, value, extension = (self._modules[name] for name in self.names)
        seen = self.pool(x)
        pairs = (theta, x), (phi, seen), (value, seen)
        queries, keys, values = (conv(of).flatten(2) for conv, of in pairs)
        weights = torch.matmul(queries.transpose(1, 2), keys).softmax(2)  # (B, L, L')
        y = torch.matmul(values, weights.transpose(1, 2)).unflatten(2, x.shape[2:])
        y = extension(y)
        y += x
        return y


class ConvUnit(Layer):
    """Convolution, BatchNorm, ReLU."""

    def __init__(self, unit):
        super().__init__(unit.conv, unit.eps, before=False, behind=True)
        nn.init.ones_(self._bn.weight)
        self.add_module("_relu", nn.ReLU(inplace=True))


class Pixels(nn.Sequential):
    """Layers whose outputs lie `stride` pixels apart, interpolated to the input's own pixels."""

    stride = (1, 1)

    def forward(self, x):
        """`(B, C, H, W) -> (B, C', H, W)`."""
        size, x = x.shape[2:], super().forward(x)
        between = [(n - 1) * step + 1 for n, step in zip(x.shape[2:], self.stride)]
        x = nn.functional.interpolate(x, between, mode="bilinear", align_corners=True)
        below, right = (n - inside for n, inside in zip(size, between))
        return nn.functional.pad(x, (0, right, 0, below), mode="replicate")


UNITS = {"residual": Residual, "glore": GloRe, "nonlocal": NonLocal, "conv": ConvUnit}


def torch_network(spec, classes=None):
    """The network of `spec`: pixels `(B, C, *space)` -> logits `(B, classes)`, He-normal weights.

    Of a spec with a head: `(B, classes, H, W)`. Raises InputError where it is no network of 2 or 3
    dimensions, of plain residual units, GloRe units and non-local blocks.
    """
    _check(spec)
    stem, _, tail, classifier = spec.names
    norm = Layer(spec.stem_conv, spec.eps, before=False, behind=True)
    nn.init.ones_(norm._bn.weight)
    parts = [(stem, norm), ("relu", nn.ReLU(inplace=True))]
    if spec.stem_pool:
        pool = spec.stem_pool
        parts.append(("pool", MAX_POOLS[spec.ndim](pool.kernel, pool.stride, pool.pad)))
    parts += [(unit.name, UNITS[unit.kind](unit)) for unit in spec.plan()]
    width = spec.feature_channels
    parts += [
        (tail, nn.Sequential(OrderedDict(_bn=NORMS[spec.ndim](width, eps=spec.eps)))),
        ("tail_relu", nn.ReLU(inplace=True)),
    ]
    if not spec.head:
        parts += [("average", AVERAGE_POOLS[spec.ndim](1)), ("flatten", nn.Flatten())]
        if spec.dropout:
            parts.append(("dropout", nn.Dropout(spec.dropout)))
        parts.append((classifier, nn.Linear(width, classes or spec.classes)))
        return nn.Sequential(OrderedDict(parts))
    parts += [(unit.name, UNITS[unit.kind](unit)) for unit in spec.head_plan()]
    parts.append(("dropout", nn.Dropout(spec.dropout)))
    parts.append((classifier, nn.Conv2d(spec.head.channels, classes or spec.classes, 1)))
    net = Pixels(OrderedDict(parts))
    net.stride = spec.total_stride
    return net


def _check(spec):
    """Raise InputError where a network has something that is not written here."""
    for unit in spec.plan():
        if spec.ndim == 1 or unit.kind not in UNITS or not _is_plain(unit):
            raise InputError(
                f"{spec.name}: {unit.name} is not written in PyTorch here, only networks of 2 or 3 "
                f"dimensions, of plain residual units, non-local blocks and GloRe units of one "
                f"layer and mask, are"
            )


def _is_plain(unit):
    """Whether a unit has only options that are written here."""
    if unit.kind == "glore":
        one = unit.graph_layers == unit.pool_stride == 1 and unit.shared_projection
        return one and not (unit.passing or unit.residual)
    return not (unit.passing if unit.kind == "nonlocal" else unit.squeeze_excite)


def array_names(net):
    """The tensors of `net` by their names in parameter files; counters of batches are left out."""
    names = {}
    for key, tensor in net.state_dict().items():
        owner, _, leaf = key.rpartition(".")
        if leaf == "num_batches_tracked":
            continue
        if owner.endswith("_bn"):
            leaf = _NORM_NAMES.get(leaf, leaf)
        names[f"{owner}.{leaf}".replace(".", "_")] = tensor
    return names


def load_arrays(net, arrays):
    """Fill `net` from arrays named as in the parameter files, 1x1 weights for two axes or all.

    Raises InputError where names or shapes do not fit.
    """
    tensors = array_names(net)
    if set(tensors) != set(arrays):
        odd = sorted(set(tensors) ^ set(arrays))
        raise InputError(f"{len(odd)} arrays are in one network alone, as {odd[0]!r}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            array = torch.as_tensor(arrays[name])
            if name.endswith("_conv_weight"):
                array = array[(...,) + (None,) * (tensor.dim() - array.dim())]
            if array.shape != tensor.shape:
                raise InputError(
                    f"{name} has shape {tuple(array.shape)}, the network takes "
                    f"{tuple(tensor.shape)}"
                )
            tensor.copy_(array)
