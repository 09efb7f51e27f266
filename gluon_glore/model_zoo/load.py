"""Networks with weights, by name, from a folder (run, checkpoint, zoo entry) or a symbol file."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Union

from ..data.class_names import names_of
from ..data.pixels import HOW
from ..data.signature import Signature
from ..export import import_model
from ..export.files import SYMBOL, symbol_of
from ..export.symbol_pair import load_pair
from ..networks.backbone import Backbone
from ..networks.network import Network
from ..networks.paper import get_spec, list_models
from ..utils import kinds
from ..utils.errors import InputError
from ..utils.files import absent
from ..weights import load_arrays, set_weights
from ..weights.manifest import MANIFEST, Manifest, clip_of, params_of, read_manifest
from ..weights.run_folder import newest_checkpoint
from .cache import Found
from .find_weights import find_weights
from .input_channels import adapt_preprocess, adapt_stem
from .transfer import CLASSIFIER, fill

_CHANNELS = kinds.whole(1, 1024)  # as many means as a `Preprocess` has


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
    if features is not None and classes is not None:
        raise InputError(f"features gives maps, not classes: leave classes={classes} out")
    if pretrained is False:
        net = Network(_of_channels(get_spec(name), in_channels), classes)
        net.preprocess = preprocess and _fitted(preprocess, net.spec)
    else:
        found = find_weights(name, pretrained, root, preprocess)
        told = _preprocess(found_spec(name, found), found, preprocess, in_channels)
        net = fill_model(name, found, classes, ctx, in_channels)
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
        _refuse_extras(model, weights, class_names, preprocess, signature)
        if (folder / MANIFEST).is_file():
            manifest = read_manifest(folder)
        else:
            folder, manifest = newest_checkpoint(folder, lambda text: print(text, file=sys.stderr))
        if manifest.task and manifest.deployment is None:
            raise InputError(
                f"{params_of(folder, manifest)}: weights of {manifest.model}, a network that only "
                "its own code makes: load_weights(net, FILE), then export_model(net, ...)"
            )
        if manifest.task:
            return import_model(folder)
        found = Found(params_of(folder, manifest), manifest)
        net = fill_model(manifest.model, found)
        net.preprocess = manifest.preprocess
        _refuse_other_classes(net, manifest, folder / MANIFEST)
        return net, manifest
    symbol = None if str(model) in list_models() else symbol_of(model)
    if symbol:
        return load_pair(symbol, weights, preprocess, class_names, signature or Signature())
    if folder.name != str(model):  # a path, as no network's name is
        also = "" if folder.exists() else f", nor a symbol file {model}{SYMBOL}"
        raise InputError(f"{model}: {absent(model, 'directory')}{also}")
    if signature:
        raise InputError(
            f"{model} is no symbol file: leave --input, --output, --stride and --rate out"
        )
    found = find_weights(model, weights or True, preprocess=preprocess)
    spec = found_spec(model, found)
    _refuse_flat(spec, found.params)
    told = _preprocess(spec, found, preprocess)
    manifest = found.manifest or _manifest_without(spec, found.params, told)
    if class_names is not None:
        manifest = replace(manifest, class_names=names_of(class_names))
    net = fill_model(model, found)
    net.preprocess = told
    if not found.manifest and class_names is None:
        manifest = replace(manifest, class_names=tuple(str(i) for i in range(net.classes)))
    _refuse_other_classes(net, manifest, found.params)
    return net, manifest


def load_own_network(model):
    """`load_network` of a network of this project, whose spec what is to be done needs.

    Raises InputError as that does, and for any other network.
    """
    if not Path(model).is_dir() and Path(model).name != str(model):  # a path, so no network's name
        raise InputError(f"{model}: {absent(model, 'directory')}")
    net, manifest = load_network(model)
    if manifest.task:
        raise InputError(
            f"{manifest.model} is no network of this project: export, check, predict and serve "
            "take it"
        )
    return net, manifest


def _refuse_other_classes(net, manifest, file):
    """Raise InputError, naming a file, where a network's classes are more or fewer than names."""
    if len(manifest.class_names) != net.classes:
        raise InputError(f"{file}: {net.classes} classes, given {len(manifest.class_names)} names")


def fill_model(name, found, classes=None, ctx=None, in_channels=None) -> Network:
    """The network `name` with the weights that `find_weights` found, see `get_model`."""
    spec = _of_channels(found_spec(name, found), in_channels)
    net = Network(spec, classes)
    arrays = load_arrays(found.params, net)
    if in_channels is not None:
        arrays = adapt_stem(arrays, net, found.params)
    if _are_flat(arrays, spec):
        net.initialize(ctx=ctx)
        fill(net, found.params, "the file", arrays, allow_missing=True, skip_classifier=True)
        return net
    classifier = arrays.get(f"{net.prefix}{spec.names[-1]}_weight")
    theirs = spec.classes if classifier is None else classifier.shape[0]
    if classes is None and net.classes != theirs:
        net = Network(spec, theirs)
    fresh = {net.prefix + name for name in CLASSIFIER} if net.classes != theirs else ()
    if fresh and net.output is not None:
        net.output.initialize(ctx=ctx)
    params = {n: p for n, p in net.collect_params().items() if n not in fresh}
    arrays = {n: a for n, a in arrays.items() if n not in fresh}
    set_weights(params, arrays, found.params, ctx=ctx)
    return net


def _of_channels(spec, in_channels):
    """A spec that takes `in_channels`, None for its own. Raises InputError below 1."""
    if in_channels is None:
        return spec
    _CHANNELS.check(in_channels, "in_channels")
    return replace(spec, in_channels=int(in_channels))


def found_spec(name, found):
    """The spec of the network `name`, with the units, BatchNorm eps and momentum of its weights.

    Raises InputError where the weights are another network's, 2-D ones for a 3-D network excepted.
    """
    manifest = found.manifest
    if manifest is None:
        return get_spec(name)
    if manifest.model == name:
        spec = manifest.spec or get_spec(name)
        if name in list_models() and _body(spec) != _body(get_spec(name)):
            raise InputError(
                f"{found.params}: weights of another network that is called {name} too"
            )
        return spec
    spec = get_spec(name)
    if spec.ndim == 3 and (manifest.spec or get_spec(manifest.model)).ndim == 2:
        return spec
    raise InputError(f"{found.params}: weights of {manifest.model}, not of {name}")


def _refuse_extras(model, *given):
    """Raise InputError where weights, names, pixels or more are given for what holds its own."""
    if any(given):
        raise InputError(
            f"{model} holds its own weights and class names and pixels, give no others"
        )


def _refuse_flat(spec, params):
    """Raise InputError for a 2-D network's weights in a 3-D one: its classifier would be random."""
    if _are_flat(load_arrays(params), spec):
        raise InputError(
            f"{params}: weights of a network of pictures, with which {spec.name} can begin to be "
            "trained, but not yet tell classes apart"
        )


def _are_flat(arrays, spec):
    """Whether arrays are of a 2-D network and the spec of a 3-D one."""
    return spec.ndim == 3 and all(array.ndim < 5 for array in arrays.values())


def _preprocess(spec, found, given, channels=None):
    """How pictures become the input of the weights found: as they say, or as `given`, else None.

    `spec` is that of the weights. Where the network takes other `channels`, it is adapted, or is
    given for these. Raises InputError where they say something else than what is given.
    """
    if channels not in (None, spec.in_channels):
        if given is not None and given.channels == channels:
            return given
        told = _preprocess(spec, found, given)
        return told and adapt_preprocess(told, channels)
    given = given and _fitted(given, spec)
    if found.manifest is None:
        return given
    own = found.manifest.preprocess
    if given not in (None, own):
        raise InputError(
            f"{found.params}: its manifest says how pixels are prepared, {own.formula}, short side "
            f"{own.resize}: give no others"
        )
    return own


def _fitted(given, spec):
    """A `Preprocess` or `Pixels` as the `Preprocess` of a spec's network. Raises InputError."""
    return given.fitted(spec.in_channels, spec.input_size[-2:], spec.head is not None)


def _manifest_without(spec, params, preprocess):
    """The manifest of a parameter file that comes without, with its pixels as they were told.

    A video's clips are every 8th frame, as many as the network takes: the paper's. Raises
    InputError where nothing says how its input is prepared.
    """
    if spec.ndim == 1:
        raise InputError(
            f"{spec.name} does not take pictures: give a training run, a zoo entry or an exported "
            "folder, which say how its input is prepared"
        )
    if preprocess is None:
        raise InputError(f"{params}: nothing says how pixels are prepared for these weights: {HOW}")
    manifest = Manifest(spec.name, (), preprocess)
    return replace(manifest, clip=clip_of(manifest))


def _body(spec):
    """The layers that weights called as a registered network must share with it.

    Extra units, auxiliary heads, BatchNorm's eps and momentum may differ.
    """
    head = spec.head and replace(spec.head, units=0, auxiliary=0)
    spec = replace(spec, extras=(), eps=0.0, momentum=0.0, head=head)
    return (*spec.plan(), *spec.head_plan())
