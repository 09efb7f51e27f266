"""How large the network of a run is: parameters and multiply-adds, from its configuration."""

import functools

from gluon_glore.networks.complexity import count_network, totals
from gluon_glore.networks.network import Network
from gluon_glore.networks.paper import get_spec

from ..config.network import model_spec
from ..config.sections import Model


@functools.lru_cache
def counted(network, classes=None, pixels=None):
    """(parameters, multiply-adds) of a network, by name or as `NetSpec`.

    Classes and input size are its own by default. Raises InputError where there is no such network.
    """
    spec = get_spec(network) if isinstance(network, str) else network
    return totals(count_network(Network(spec, classes), pixels))


def run_spec(config):
    """The spec of the network of a run, from its configuration as `read_run` gives it.

    Raises InputError where it can't be made here, as where only who trained it had registered it.
    """
    return model_spec(Model(config["model"]["name"], config["model"].get("units", {})))


def run_size(config):
    """(parameters, multiply-adds) of the network of a run at its input size, as `run_spec`."""
    frames = (config["clip"]["frames"],) if "clip" in config else ()
    pixels = (*frames, *config["data"]["size"])
    return counted(run_spec(config), config["model"].get("classes"), pixels)
