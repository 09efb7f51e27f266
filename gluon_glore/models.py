"""`get_model`: a network by name, with or without weights."""

import os
from pathlib import Path

from .errors import InputError
from .network import Network
from .weights import load_weights
from .zoo import get_spec


def default_root() -> Path:
    """Where weights lie: $GLORE_HOME, else ~/.mxnet/models as for Gluon's own model zoo."""
    return Path(os.environ.get("GLORE_HOME", "~/.mxnet/models")).expanduser()


def weights_path(name, root=None) -> Path:
    """Where `get_model(name, pretrained=True)` looks for weights: `<root>/<name>-0000.params`."""
    return Path(root or default_root()).expanduser() / f"{name}-0000.params"


def get_model(name, classes=None, pretrained=False, ctx=None, root=None) -> Network:
    """A registered network: pixels `(B, C, *space)` -> logits `(B, classes)`.

    `classes` defaults to the network's own: 1000 of ImageNet, 400 of Kinetics.
    `pretrained`: False gives an uninitialised network; True loads `<root>/<name>-0000.params`, as
    `python -m gluon_glore export` writes it; a path loads that parameter file. `ctx` is where the
    weights go (default: the current context), `root` defaults to `default_root()`.

    Raises InputError where the name is unknown (naming the closest), where there are
    no weights or they are another network's.
    """
    net = Network(get_spec(name), classes=classes)
    if pretrained is False:
        return net
    path = weights_path(name, root) if pretrained is True else Path(pretrained)
    if pretrained is True and not path.is_file():
        raise InputError(f"no weights for {name}: there is no {path}")
    load_weights(net, path, ctx=ctx)
    return net
