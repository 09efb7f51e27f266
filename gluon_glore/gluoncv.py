"""The networks in GluonCV's model zoo.

`import gluon_glore.gluoncv`, once, and `gluoncv.model_zoo.get_model(name)` makes them all, those
registered later too.

A name that GluonCV has already stays GluonCV's, and ours is `gluon_glore_<name>`. That concerns one
network of this package, `resnext101_32x4d`, which GluonCV has in post-activation. GluonCV ignores
the case of names, so of two names that differ in case alone the second one gets the prefix.

Options are those of `gluon_glore.get_model`: `classes`, `pretrained` (True, a path, an address or
the first digits of a sha256), `ctx`, `root`, `preprocess`, `in_channels`, `features`. Of those that
GluonCV's scripts and detectors pass to any network, what is so anyway is accepted
(`norm_layer=nn.BatchNorm`, `last_gamma=False`, `use_se` as it is). Others raise InputError.

Detectors take a network by name and the names of its feature maps in symbols,
`get_spec(name).feature_maps["res4"].output`: SSD, `FeatureExpander`, `FPNFeatureExpander`.

Its pre-activation ResNets become networks here by `python -m gluon_glore import`, from their file
of parameters alone. `pretrained` takes the files that `save_parameters` writes of the networks
here; a file of another network is refused in a line that says what it looks like.
`pretrained_model_list()` names GluonCV's only.

`gluoncv.utils.export_block` exports them. Its limits:

- The default preprocessing, and `data_shape=None`, are for RGB pictures `(B, H, W, 3)`. A network
  of other channels or dimensions takes `preprocess=None`, `layout="CHW"` (3-D: "CTHW") and its
  `data_shape`, or a preprocess block of your own. One-dimensional ones have no layout; use
  `gluon_glore.export_model`.
- With the default preprocessing the channels and size of `data_shape` are not checked.
- It hybridises the network it is given and moves it to its own `ctx`, by default the CPU.
- The parameter file also holds the constants of the preprocessing, and so can't be given as
  `pretrained`; with `preprocess=None` it can.
"""

import inspect
from typing import Union

from gluoncv.model_zoo import model_zoo
from mxnet.gluon import nn

from .model_zoo.load import get_model
from .networks.backbone import Backbone
from .networks.network import Network
from .networks.registry import get_spec, on_register
from .utils.errors import InputError

_OPTIONS = tuple(inspect.signature(get_model).parameters)[1:]


def _facts(spec):
    """What options of GluonCV's networks would say of a spec's: its scripts pass them to all."""
    return {
        "norm_layer": nn.BatchNorm,
        "norm_kwargs": {},
        "use_global_stats": False,
        "last_gamma": False,  # no BatchNorm stands last in a residual unit, to start at zero
        "pretrained_base": False,
        "dilated": any(dilation > 1 for stage in spec.stages for dilation in stage.dilations),
        "use_se": bool(spec.squeeze_excite),
    }


def _add(name):
    """Add a registered network to GluonCV's zoo under a name that is free."""

    def make(**options) -> Union[Network, Backbone]:
        for option, own in _facts(get_spec(name)).items():
            given = options.pop(option, None)
            if given not in (None, own):
                raise InputError(f"{name} has {option}={own!r}, given {option}={given!r}")
        unknown = ", ".join(f"{k}={v!r}" for k, v in options.items() if k not in _OPTIONS)
        if unknown:
            raise InputError(f"{name} takes {', '.join(_OPTIONS)}, given {unknown}")
        return get_model(name, **options)

    # GluonCV has no public way to add a network: this is the table of its get_model.
    zoo, key = model_zoo._models, name.lower()
    while key in zoo:
        key = f"gluon_glore_{key}"
    zoo[key] = make


on_register(_add)
