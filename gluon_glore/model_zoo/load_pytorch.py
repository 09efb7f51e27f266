"""The zoo's networks in PyTorch: `get_model` and `load_network` as in `load.py`, without MXNet."""

from pathlib import Path
from typing import Union

import torch

from ..export.files import symbol_of
from ..networks.paper import list_models
from ..pytorch.arrays import from_mxnet
from ..pytorch.backbone import Backbone
from ..pytorch.names import counts_batches, their_name
from ..pytorch.network import Network
from ..utils.errors import InputError
from .open_network import (
    manifest_in,
    open_folder,
    open_model,
    open_named,
    refuse_extras,
    refuse_path,
)


def get_model(
    name,
    classes=None,
    pretrained=False,
    device=None,
    root=None,
    preprocess=None,
    in_channels=None,
    features=None,
) -> Union[Network, Backbone]:
    """A registered network in PyTorch: pixels `(B, C, *space)` -> logits `(B, classes)`.

    Arguments and rules are those of `gluon_glore.get_model`, with PyTorch's `device` (default: the
    CPU) in the place of `ctx`. Parameters without weights start as the Gluon networks' do. The
    network is in training mode, as PyTorch's are: call `eval()` to use it. With `features` it is a
    `gluon_glore.pytorch.Backbone`. Raises InputError as that one does.
    """
    asked = (name, classes, pretrained, root, preprocess, in_channels, features)
    filling, told = open_model(*asked)
    net = make_network(filling, device)
    net.preprocess = told
    return net if features is None else Backbone(net, features)


def load_network(model, weights=None, class_names=None, preprocess=None, device=None):
    """Load a network of this project in PyTorch, with its weights: (Network, Manifest).

    Arguments are those of `gluon_glore.load_network`. Raises InputError as that one does, and for
    networks that are none of this project's.
    """
    folder = Path(model)
    if folder.is_dir():
        refuse_extras(model, weights, class_names, preprocess)
        folder, manifest = manifest_in(folder)
        if manifest.task:
            raise InputError(f"{model} is no network of this project: only MXNet runs it")
        opened = open_folder(folder, manifest)
    else:
        symbol = None if str(model) in list_models() else symbol_of(model)
        if symbol:
            raise InputError(f"{symbol}: a symbol, which only MXNet runs")
        refuse_path(model)
        opened = open_named(model, weights, class_names, preprocess)
    net = make_network(opened.filling, device)
    net.preprocess = opened.manifest.preprocess
    return net, opened.manifest


def make_network(filling, device=None) -> Network:
    """The network that a `Filling` fills, on a device."""
    net = Network(filling.spec, filling.classes)
    if filling.source is None:
        return net.to(device)
    state = from_mxnet(filling.arrays, filling.spec.ndim)
    fresh = set(map(their_name, filling.fresh))
    left = net.load_state_dict(state, strict=False)
    missing = {name for name in left.missing_keys if not counts_batches(name)}
    if missing != fresh or left.unexpected_keys:
        differ = sorted(missing ^ fresh) + left.unexpected_keys
        raise AssertionError(f"{filling.source}: the two spellings differ in {differ[0]}")
    return net.to(device)


def numpy_function(net):
    """A network in evaluation mode as a function: a float32 batch -> logits, numpy both."""
    net.eval()
    device = next(net.parameters()).device

    def run(x):
        with torch.inference_mode():
            return net(torch.tensor(x, device=device)).cpu().numpy()

    return run
