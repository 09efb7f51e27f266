"""Networks with weights, by name, from a folder (run, checkpoint, zoo entry) or a symbol file."""

from pathlib import Path
from typing import Union

from ..data.signature import Signature
from ..export import import_model
from ..export.files import SYMBOL, symbol_of
from ..export.symbol_pair import load_pair
from ..networks.backbone import Backbone
from ..networks.network import Network
from ..networks.paper import list_models
from ..utils.errors import InputError
from ..weights import set_weights
from .open_network import (
    manifest_in,
    open_folder,
    open_model,
    open_named,
    refuse_extras,
    refuse_others,
    refuse_path,
)


def get_model(
    name,
    classes=None,
    pretrained=False,
    ctx=None,
    root=None,
    preprocess=None,
    in_channels=None,
    features=None,
) -> Union[Network, Backbone]:
    """A registered network: pixels `(B, C, *space)` -> logits `(B, classes)`.

    `classes` defaults to those of the weights, or without weights to the network's own: 1000 of
    ImageNet, 400 of Kinetics. 0 gives pooled features `(B, feature_channels)` in place of logits.
    `pretrained`: False gives an uninitialised network. True takes the weights that the catalogue
    has (`python -m gluon_glore list`), downloaded once; others are named by the first 8 digits of
    their sha256, by an address, or by a path to a parameter file (of `save_weights` or Gluon's
    `save_parameters`, see `weights.names`), zoo entry, released archive or PyTorch file. A manifest
    beside a parameter file is followed: placement and BatchNorm eps of its network, classes,
    checksum. Where `classes` is given and the weights have others, the classifier is new; weights
    of a 2-D network are inflated into a 3-D one, whose classifier and extra units then are new.
    Parameter files of a network that is not registered are imported, with `preprocess`.
    `ctx` is where the weights go (default: the current context), `root` the folder of the weights
    ($GLORE_HOME, else ~/.mxnet/models).
    `preprocess`, a `Preprocess`, is how pictures become the input of weights that don't say it.
    The network carries it, or what its weights say, as its `preprocess`; None where nobody says it.
    `in_channels`: C, where it is not the network's own. Weights of 1 or 3 channels are adapted, and
    so is what they say of pixels, as `input_channels` says; a `preprocess` may be the weights' or
    that of C channels.
    `features` names stages, as ("res3", "res4", "res5"): the network without its classifier gives
    a list of their feature maps, see `Backbone`.

    Raises InputError where the name is unknown (naming the closest), where there are no weights,
    they are damaged, or they are another network's or of other pixels; and where `classes` is given
    beside `features`.
    """
    asked = (name, classes, pretrained, root, preprocess, in_channels, features)
    filling, told = open_model(*asked)
    net = make_network(filling, ctx)
    net.preprocess = told
    return net if features is None else Backbone(net, features)


def load_network(model, weights=None, class_names=None, preprocess=None, signature=None):
    """Load a Gluon network with its weights: (Network, Manifest).

    `model` is a training run's directory (its newest checkpoint), a checkpoint, a zoo entry, or a
    name with `weights`, all that `get_model` takes as `pretrained` (default: the catalogue's), and
    `class_names`, a text file with one name a line (default: those of the weights, else numbers).
    `preprocess`, a `Preprocess` or `Pixels`, is how pictures become its input: weights that come
    without a manifest need it. The network carries it as its `preprocess`.

    It may be none of this project's, and is then a SymbolBlock: an exported folder of one, or a
    symbol file NAME-symbol.json, or its path without that ending, with the parameters `weights`
    (default: the one NAME-0000.params beside it). `signature`, a `Signature`, says what a symbol
    takes and gives that `preprocess` does not.
    Raises InputError where something is missing, damaged or another network's.
    """
    folder = Path(model)
    if folder.is_dir():
        refuse_extras(model, weights, class_names, preprocess, signature)
        folder, manifest = manifest_in(folder)
        if manifest.task:
            return import_model(folder)
        opened = open_folder(folder, manifest)
    else:
        symbol = None if str(model) in list_models() else symbol_of(model)
        if symbol:
            return load_pair(symbol, weights, preprocess, class_names, signature or Signature())
        refuse_path(model, f", nor a symbol file {model}{SYMBOL}")
        if signature:
            raise InputError(
                f"{model} is no symbol file: leave --input, --output, --stride and --rate out"
            )
        opened = open_named(model, weights, class_names, preprocess)
    net = make_network(opened.filling)
    net.preprocess = opened.manifest.preprocess
    return net, opened.manifest


def load_own_network(model):
    """`load_network` of a network of this project, whose spec what is to be done needs.

    Raises InputError as that does, and for any other network.
    """
    if not Path(model).is_dir():
        refuse_path(model)
    net, manifest = load_network(model)
    refuse_others(manifest)
    return net, manifest


def make_network(filling, ctx=None) -> Network:
    """The network that a `Filling` fills; not initialised where that has no weights."""
    net = Network(filling.spec, filling.classes)
    if filling.source is None:
        return net
    params = net.collect_params()
    if filling.inflated:
        net.initialize(ctx=ctx)
    else:
        for name in [name for name in params if name[len(net.prefix) :] in filling.fresh]:
            params[name].initialize(ctx=ctx)
    arrays = {net.prefix + name: array for name, array in filling.arrays.items()}
    set_weights({name: params[name] for name in arrays}, arrays, filling.source, ctx=ctx)
    return net
